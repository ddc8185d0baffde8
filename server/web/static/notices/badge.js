/** What stands on this device about channels, outside the page: the count on the icon, and the notifications. Both follow the page. */

export class Badge {
  #count = null;
  #standing = new Set(); // channels that had something unread

  /** @param unread in all; `channels` ids of those with something unread */
  draw(unread, channels) {
    const now = new Set(channels);
    for (const id of this.#standing) if (!now.has(id)) closeNotifications(id);
    this.#standing = now;
    if (unread === this.#count) return;
    this.#count = unread;
    (unread ? navigator.setAppBadge?.(unread) : navigator.clearAppBadge?.())?.catch(() => {});
  }

  /** Nobody is signed in here any more. */
  clear() {
    this.#count = null;
    this.#standing.clear();
    navigator.clearAppBadge?.().catch(() => {});
    closeNotifications();
  }
}

/** Those about a channel; without one, all. */
async function closeNotifications(tag) {
  const registration = await navigator.serviceWorker?.getRegistration("/");
  for (const notification of (await registration?.getNotifications?.(tag ? { tag } : {})) ?? []) notification.close();
}
