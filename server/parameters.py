"""Parameters of operations: read out of JSON, and the ids that stand in them."""

from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from server.errors import Invalid
from server.ids import Id

_Params = TypeVar("_Params", bound=BaseModel)


def ids(shape: BaseModel) -> dict[str, Any]:
    """The ids that stand in a shape's own fields: whom and what an access was about, and nothing that anybody said."""
    return {
        field: value
        for field, value in shape
        if isinstance(value, Id) or (isinstance(value, list) and value and all(isinstance(id, Id) for id in value))
    }


def parse(model: type[_Params], data: bytes | dict[str, Any], context: dict[str, Any] | None = None) -> _Params:
    """Parameters from JSON, or from what HTTP carries as text in path and query. `context`: settings that they depend on.

    Raises:
        Invalid: one sentence per field that is wrong, with what it takes; what was sent is not repeated.
    """
    try:
        if isinstance(data, bytes):
            return model.model_validate_json(data, context=context)
        return model.model_validate(data, context=context)
    except ValidationError as wrong:
        if wrong.errors()[0]["type"] == "json_invalid":
            raise Invalid(
                "The request is not JSON, or a text in it holds half of a character (a lone surrogate)."
            ) from None
        told = [
            (".".join(str(part) for part in error["loc"]), error["msg"]) for error in wrong.errors(include_input=False)
        ]
        raise Invalid("; ".join(f"{where or 'request'}: {message}" for where, message in told)) from None
