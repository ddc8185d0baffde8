import assert from "node:assert/strict";
import { test } from "node:test";

import { clean, codePoints, pieces } from "../../../server/web/static/text.js";
import { failureWords } from "../../../server/web/static/words.js";

const links = (text) =>
  pieces(text)
    .filter(({ href }) => href)
    .map(({ text: shown }) => shown);

test("the pieces of a text read exactly as the text", () => {
  for (const text of [
    "",
    "plain",
    "https://a.example",
    "a https://b.example, c (http://d.example/e).\nhttps://f.example/g",
  ]) {
    assert.equal(
      pieces(text)
        .map(({ text: piece }) => piece)
        .join(""),
      text,
    );
  }
});

test("punctuation around a link is not part of it, brackets opened inside are", () => {
  assert.deepEqual(links("see https://example.org/a. (https://example.org/b), https://example.org/c_(d)!"), [
    "https://example.org/a",
    "https://example.org/b",
    "https://example.org/c_(d)",
  ]);
  assert.deepEqual(links("<https://example.org/x>"), ["https://example.org/x"]);
});

test("only http and https, without a name in front of the host", () => {
  assert.deepEqual(links("javascript:alert(1) data:text/html,x ftp://example.org mailto:a@example.org"), []);
  assert.deepEqual(links("https://clinic.example@elsewhere.example/"), []);
  assert.deepEqual(links("HTTPS://EXAMPLE.ORG/A"), ["HTTPS://EXAMPLE.ORG/A"]);
  assert.deepEqual(links("http://"), []);
});

test("invisible and direction-changing signs end a link", () => {
  assert.deepEqual(links("https://example.org/a\u202egpj.exe"), ["https://example.org/a"]);
});

test("however long a text is, its time does not grow with the square", () => {
  const before = performance.now();
  pieces("https://" + "(".repeat(80_000));
  pieces("https://a.example/" + ")".repeat(80_000));
  assert.ok(performance.now() - before < 5_000);
});

test("cleaning trims and drops what the server refuses", () => {
  assert.equal(clean("  a\u0000b \n"), "ab");
  assert.equal(clean("a\n\n b"), "a\n\n b");
  assert.ok(clean("x\ud800y").isWellFormed());
});

test("an emoji is one code point", () => {
  assert.equal(codePoints("a🌼b"), 3);
});

test("that a message was not delivered is said once", () => {
  assert.equal(failureWords(undefined, "Not delivered."), "Not delivered.");
  assert.equal(failureWords("There is no such channel.", "Not delivered."), "Not delivered. There is no such channel.");
  assert.equal(failureWords("Closed. Yours was not delivered.", "Not delivered."), "Closed. Yours was not delivered.");
});
