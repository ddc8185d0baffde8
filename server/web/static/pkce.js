/** What the authorization code flow needs of cryptography: random words, and the proof of who began it (RFC 7636). */

/** 256 random bits, as text that can stand in an address. */
export function random() {
  return encoded(crypto.getRandomValues(new Uint8Array(32)));
}

/** The S256 challenge of a verifier. */
export async function challengeOf(verifier) {
  return encoded(new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier))));
}

/** The claims of an ID token that came straight from the provider, over TLS: its signature adds nothing to that. */
export function claimsOf(token) {
  try {
    const part = token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
    return JSON.parse(new TextDecoder().decode(Uint8Array.from(atob(part), (c) => c.codePointAt(0))));
  } catch {
    return {};
  }
}

function encoded(bytes) {
  return btoa(String.fromCodePoint(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}
