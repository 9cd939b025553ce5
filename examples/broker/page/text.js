"use strict";

// What makes text of a message safe and easy to read. Nothing here touches the page.

// Characters that show nothing or turn the order of what is around them: controls, marks of direction, what has no
// width, and fillers. Text of a message with them can look like another text.
const unseen = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\uffa0\ufe00-\ufe0f\u{e0100}-\u{e01ef}]/gu;

function escaped(character) {
  return `\\u{${character.codePointAt(0).toString(16)}}`;
}

// visible writes what cannot be seen as its code, such as \u{202e}. With lines, those and tabs stay.
function visible(text, lines = false) {
  return text.replace(unseen, (character) => (lines && (character === "\n" || character === "\t") ? character : escaped(character)));
}

// prettyJSON puts the parts of a JSON text on lines of their own, and returns undefined for any other text. It moves
// white space alone: a number keeps all its digits, and a key that is there twice stays there twice.
function prettyJSON(text) {
  let value;
  try { value = JSON.parse(text); } catch { return undefined; }
  if (typeof value !== "object" || value === null) return undefined;
  const tokens = text.match(/"(?:[^"\\]|\\.)*"|[[\]{},:]|[^\s[\]{},:"]+/g) ?? [];
  let out = "";
  let depth = 0;
  const line = () => `\n${"  ".repeat(depth)}`;
  tokens.forEach((token, i) => {
    const opens = token === "{" || token === "[";
    const closes = token === "}" || token === "]";
    const before = tokens[i - 1];
    if (closes) {
      depth--;
      if (before !== "{" && before !== "[") out += line();
    } else if (before === "{" || before === "[" || before === ",") {
      out += line();
    }
    out += token === ":" ? ": " : token;
    if (opens) depth++;
  });
  return out;
}
