/**
 * What a terminal takes as an order or hides, rather than shows: control characters (C0, DEL, C1), and the characters
 * of Unicode that turn the direction of text or have no width.
 */
const unsafe = /[\p{Cc}\p{Cf}\u2028\u2029\p{Surrogate}]/gu;

/** The text with everything that is not plain text spelled out, such as `\u001b`: a name cannot move the cursor. */
export function escapeText(text: string): string {
  return text.replace(unsafe, spellOut);
}

/** The same for text that may have lines: of controls only line feeds and tabs stay. */
export function escapeLines(text: string): string {
  return text.replace(unsafe, (character) =>
    character === '\n' || character === '\t' ? character : spellOut(character),
  );
}

/** JSON in which every such character is escaped: it says the same, and is safe to print. */
export function safeJson(value: unknown, indent?: number): string {
  return (JSON.stringify(value, null, indent) ?? 'null').replace(unsafe, (character) =>
    // The line feeds that `indent` makes stand between tokens; those of texts are `\n` already.
    character === '\n' ? character : spellOut(character),
  );
}

/** As JSON spells UTF-16 code units, two of them where the character needs two. */
function spellOut(character: string): string {
  return Array.from({ length: character.length }, (_, index) => {
    return `\\u${character.charCodeAt(index).toString(16).padStart(4, '0')}`;
  }).join('');
}
