import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline/promises';

/** From a terminal without showing it, or the first line of a pipe. @param prompt such as "Password: " */
export async function readHidden(prompt: string): Promise<string> {
  const { stdin, stderr } = process;
  if (!stdin.isTTY) {
    for await (const line of createInterface({ input: stdin })) return line;
    return '';
  }
  stderr.write(prompt);
  const hidden = createInterface({ input: stdin, terminal: true });
  const line = await hidden.question('');
  hidden.close();
  stderr.write('\n');
  return line;
}

/** Far above what any secret has. */
const pipedCharsMax = 1024 * 1024;

/** One line from a terminal without showing it, or all of a pipe, without the line end after it. */
export async function readSecret(prompt: string): Promise<string> {
  if (process.stdin.isTTY) return readHidden(prompt);
  let text = '';
  for await (const part of process.stdin.setEncoding('utf8')) {
    text += String(part);
    if (text.length > pipedCharsMax) break;
  }
  return text.replace(/\r?\n$/, '');
}

/** The first line of a file, or what is typed where no file is given. */
export async function readPassphrase(file: string | undefined): Promise<string> {
  if (file === undefined) return readHidden('Passphrase: ');
  return (await readFile(file, 'utf8')).split(/\r?\n/)[0] ?? '';
}
