import { createLog } from '../../src/base/log.ts';
import { SandboxArchive } from '../../src/demo/sandbox-archive.ts';

/**
 * The sandbox archive as a program of its own.
 *
 *     node test/bench/archive.ts DIRECTORY      prints {"url":…} once it listens
 */

const [dataDir = '.'] = process.argv.slice(2);
const log = createLog('warn', process.stderr);
const archive = new SandboxArchive({ dataDir, host: '127.0.0.1', port: 0, log });
const { url } = await archive.start();
process.stdout.write(`${JSON.stringify({ url })}\n`);
process.once('SIGTERM', () => void archive.stop());
