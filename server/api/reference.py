"""The API as a page to read, at /api/docs: written here from the OpenAPI document, without script, and printable.

A page of our own rather than a bundled viewer: those weigh two megabytes and want inline styles, which the pages'
Content-Security-Policy forbids.
"""

from collections.abc import Iterator
from html import escape
from itertools import groupby
from typing import Any

_PERMISSIONS = {"signed in": "whoever is signed in, about what is theirs", "staff": "any team member"}
_RECORDED = {"own": "no: one's own affairs", "log": "the event in the channel's log is its record"}

_HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>API – Warmline</title>
<link rel="icon" href="/static/icon.svg">
<link rel="stylesheet" href="/static/palette.css">
<link rel="stylesheet" href="/static/base.css">
<link rel="stylesheet" href="/static/reference.css">
</head>
<body class="reference">
<main>
<h1>The API</h1>
<p>Every operation is an HTTP route and a WebSocket rpc of the same name, with the same parameters, answers and errors.
HTTP takes the token as <code>Authorization: Bearer …</code>; an rpc takes all parameters as one JSON object.
The same for machines: <a href="/api/openapi.json">OpenAPI 3.1</a> (HTTP) and <a href="/api/asyncapi.json">AsyncAPI 3</a>
(WebSocket, with what is pushed).</p>
<p>A refusal is <code>{"error": {"code", "message", "temporary"}, "request_id"}</code>; the message is for people and says
what to do. Where <code>temporary</code> is true, the same again later is right.</p>
"""
_FOOT = "</main>\n</body>\n</html>\n"


def page(document: dict[str, Any]) -> str:
    """The whole page.

    Args:
        document: OpenAPI 3.1, as server.api.openapi makes it.
    """
    definitions = document["components"]["schemas"]
    operations = [
        (what["operationId"], method.upper(), path, what)
        for path, methods in document["paths"].items()
        for method, what in methods.items()
    ]
    families = [(name, list(of)) for name, of in groupby(sorted(operations, key=_family_first), key=_family)]
    parts = [_HEAD, _contents(families)]
    for family, members in families:
        parts.append(f"<h2>{escape(family)}</h2>\n")
        parts.extend(_operation(*member, definitions) for member in members)
    return "".join([*parts, _FOOT])


def _family(operation: tuple[str, str, str, Any]) -> str:
    return operation[0].partition(".")[0].replace("_", " ")


def _family_first(operation: tuple[str, str, str, Any]) -> tuple[str, str]:
    return _family(operation), operation[0]


def _contents(families: list[tuple[str, list[tuple[str, str, str, Any]]]]) -> str:
    entries = "".join(
        f'<li><a href="#{escape(name)}">{escape(name)}</a></li>'
        for _family, members in families
        for name, *_ in members
    )
    return f'<nav aria-label="Operations"><ul>{entries}</ul></nav>\n'


def _operation(name: str, method: str, path: str, what: dict[str, Any], definitions: dict[str, Any]) -> str:
    permission = what["x-permission"]
    recorded = what["x-audit"]
    body = what.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    rows = [
        (parameter["name"], parameter["in"], parameter["required"], parameter["schema"])
        for parameter in what["parameters"]
    ]
    rows += [(field, "body", field in body["required"], schema) for field, schema in body.get("properties", {}).items()]
    result = what["responses"]["200"]["content"]["application/json"]["schema"]
    return (
        f'<section id="{escape(name)}"><h3>{escape(name)}</h3>\n'
        f"<p><code>{method} {escape(path)}</code></p>\n<p>{escape(what['summary'])}</p>\n"
        f"<dl><dt>Who may</dt><dd>{escape(_PERMISSIONS.get(permission, permission))}</dd>"
        f"<dt>In the access log</dt><dd>{escape(_RECORDED.get(recorded, recorded))}</dd></dl>\n"
        f"{_parameters(rows, definitions)}{_answer(result, definitions)}</section>\n"
    )


def _parameters(rows: list[tuple[str, str, bool, dict[str, Any]]], definitions: dict[str, Any]) -> str:
    if not rows:
        return "<p>Takes nothing.</p>\n"
    lines = "".join(
        f"<tr><th scope=row>{escape(name)}</th><td>{where}</td><td>{escape(kind(schema, definitions))}"
        f"{'' if required else ', optional'}</td><td>{escape(_about(schema))}</td></tr>"
        for name, where, required, schema in rows
    )
    return (
        "<table><caption>Takes</caption><thead><tr><th scope=col>Name<th scope=col>In<th scope=col>Type"
        f"<th scope=col>About</tr></thead><tbody>{lines}</tbody></table>\n"
    )


def _answer(result: dict[str, Any], definitions: dict[str, Any]) -> str:
    lines = "".join(
        f"<tr><th scope=row>{escape(name)}</th><td>{escape(kind(schema, definitions))}</td>"
        f"<td>{escape(_about(schema))}</td></tr>"
        for name, schema in _fields(result, definitions)
    )
    if not lines:
        return "<p>Answers with an empty object.</p>\n"
    return (
        "<table><caption>Answers</caption><thead><tr><th scope=col>Name<th scope=col>Type<th scope=col>About"
        f"</tr></thead><tbody>{lines}</tbody></table>\n"
    )


def _fields(
    schema: dict[str, Any], definitions: dict[str, Any], prefix: str = "", seen: tuple[str, ...] = ()
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every field of a shape, those of shapes within it under a dotted name; [] stands for each of a list."""
    reference = schema.get("$ref", "").rpartition("/")[2]
    if reference in seen:
        return
    model = definitions[reference] if reference else schema
    for name, field in model.get("properties", {}).items():
        yield prefix + name, field
        inner: dict[str, Any] = next((each for each in field.get("anyOf", [field]) if each.get("type") != "null"), {})
        many = inner.get("type") == "array"
        yield from _fields(
            inner.get("items", {}) if many else inner,
            definitions,
            f"{prefix}{name}{'[]' if many else ''}.",
            (*seen, reference),
        )


def kind(schema: dict[str, Any], definitions: dict[str, Any]) -> str:
    """A JSON schema's type in a few words."""
    if choices := schema.get("anyOf"):
        return " or ".join(dict.fromkeys(kind(choice, definitions) for choice in choices))
    if "$ref" in schema:
        return kind(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    if "enum" in schema or "const" in schema:
        return " | ".join(str(value) for value in schema.get("enum", [schema.get("const")]))
    if schema.get("type") == "array":
        return f"list of {kind(schema.get('items', {}), definitions)}"
    return str(schema.get("type", "anything"))


def _about(schema: dict[str, Any]) -> str:
    limits = {
        "minimum": "at least {}", "maximum": "at most {}", "minLength": "{} characters or more",
        "maxLength": "{} characters or fewer", "minItems": "{} or more", "maxItems": "{} or fewer",
        "default": "{} if left out",
    }  # fmt: skip
    told = [schema["description"].rstrip(".")] if schema.get("description") else []
    told += [words.format(schema[key]) for key, words in limits.items() if schema.get(key) is not None]
    return "; ".join(told)
