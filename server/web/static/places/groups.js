/** The roster's groups: a list of them, and a page for each. */

import { GroupList } from "../roster/group_list.js";
import { GroupPage } from "../roster/group_page.js";
import { ListOrOne } from "../roster/list_or_one.js";

export const groups = {
  name: "groups",
  label: "Groups",
  may: ({ permissions }) => permissions.includes("group.read"),
  make: (page) => new ListOrOne(new GroupList(page), new GroupPage(page)),
};
