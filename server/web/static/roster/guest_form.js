/** What one says of a guest: a name, and how to reach them. */

/** The fields of a contact; what else stands in it is kept as it is. */
export function contactFields(contact = {}) {
  return [
    { name: "phone", label: "Telephone", type: "tel", value: textOf(contact.phone) },
    { name: "email", label: "Email", type: "email", value: textOf(contact.email) },
  ];
}

/** A contact out of the fields, over what it was before. */
export function contactOf({ phone, email }, before = {}) {
  const contact = { ...before, phone, email };
  return Object.fromEntries(Object.entries(contact).filter(([, value]) => value !== undefined));
}

const textOf = (value) => (value === undefined || value === null ? undefined : String(value));
