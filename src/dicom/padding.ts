const nul = 0;
const space = 0x20;

/**
 * A text without its trailing NULs and spaces (PS3.5 §6.2). Looks at each character once: a pattern such as
 * `/[\0 ]+$/` tries anew at every space, and takes seconds for 64 KiB of them that a peer made up.
 */
export function withoutPadding(text: string): string {
  let end = text.length;
  while (end > 0 && isPadding(text.charCodeAt(end - 1))) end -= 1;
  return text.slice(0, end);
}

function isPadding(code: number): boolean {
  return code === nul || code === space;
}
