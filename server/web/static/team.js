/** The organisation's active team members, all pages of them, for pickers. */

const PAGE = 100;
const MOST = 2000; // no picker is of use beyond this

export async function teamMembers(wire) {
  const found = [];
  for (let after; found.length < MOST; after = found.at(-1).id) {
    const { team_members: page, more } = await wire.rpc("team_member.list", { limit: PAGE, ...(after && { after }) });
    found.push(...page);
    if (!more || page.length === 0) break;
  }
  return found.filter(({ status }) => status === "active").sort((a, b) => a.name.localeCompare(b.name));
}
