/** Everything a paged operation has to give: for pickers, which need the whole list. */

const PAGE = 200;
const MOST = 5000; // no picker is of use beyond this

/** @param list the name of the list in the answer; `params` go with each asking */
export async function allPages(wire, operation, list, params = {}) {
  const found = [];
  for (let after; found.length < MOST; after = found.at(-1).id) {
    const page = await wire.rpc(operation, { limit: PAGE, ...params, ...(after && { after }) });
    found.push(...page[list]);
    if (!page.more || page[list].length === 0) break;
  }
  return found;
}
