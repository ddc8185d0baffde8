/** Colleagues and patients of the organisation: whole lists for pickers, and names of team members by id, each asked for once. */

import { allPages } from "./paged.js";

/** All active team members, by name. */
export async function teamMembers(wire) {
  const found = (await everyone(wire, "team_member.list", "team_members")).filter(({ archiving }) => !archiving);
  return found.sort((a, b) => a.name.localeCompare(b.name));
}

/** All active patients, by name. */
export async function activePatients(wire) {
  return everyone(wire, "patient.list", "patients");
}

async function everyone(wire, operation, list) {
  return (await allPages(wire, operation, list)).filter(({ status }) => status === "active");
}

/** What a patient is called among staff. */
export function patientName({ preferred_name: preferred, legal_name: legal }) {
  return preferred && preferred !== legal ? `${preferred} (${legal})` : legal;
}

const names = new Map(); // person id → name, or a promise of it

/** The name of a team member who may be in no channel of mine; "a team member" where it cannot be had. */
export async function nameOfPerson(wire, id) {
  if (!names.has(id)) names.set(id, fetchName(wire, id));
  return names.get(id);
}

nameOfPerson.known = (id) => (typeof names.get(id) === "string" ? names.get(id) : null);

async function fetchName(wire, id) {
  try {
    const { name } = await wire.rpc("team_member.get", { team_member_id: id });
    names.set(id, name);
  } catch (error) {
    if (!error.code) throw error;
    names.delete(id);
  }
  return names.get(id) ?? "a team member";
}
