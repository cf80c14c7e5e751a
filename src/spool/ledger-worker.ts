import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { LedgerDatabase } from './ledger.ts';
import { type LedgerReply, type LedgerRequest, operations } from './ledger-operations.ts';

/*
 * The ledger's one writer. Requests that have queued up while a commit ran are carried out together in the next
 * transaction: one durable commit serves them all, and nobody is answered before it.
 */

const requestsPerCommitMax = 500;

type Operation = (database: LedgerDatabase, ...args: readonly unknown[]) => unknown;

function carryOut(database: LedgerDatabase, request: LedgerRequest): LedgerReply {
  const operation = operations[request.name] as Operation;
  return { id: request.id, ok: true, result: operation(database, ...request.args) };
}

function failed(request: LedgerRequest, error: unknown): LedgerReply {
  const code = error instanceof Error && 'errstr' in error ? String(error.errstr) : 'LEDGER';
  return {
    id: request.id,
    ok: false,
    error: { code, message: error instanceof Error ? error.message : String(error) },
  };
}

function carryOutTogether(database: LedgerDatabase, requests: readonly LedgerRequest[]): LedgerReply[] {
  try {
    return database.transaction(() => requests.map((request) => carryOut(database, request)));
  } catch (error) {
    const [only] = requests;
    if (requests.length === 1 && only !== undefined) return [failed(only, error)];
    // One of them is at fault: each on its own, so that the others do not suffer.
    return requests.flatMap((request) => carryOutTogether(database, [request]));
  }
}

function serve(port: MessagePort, database: LedgerDatabase): void {
  port.on('message', (first: LedgerRequest | 'close') => {
    const requests: LedgerRequest[] = [];
    let closing = first === 'close';
    if (first !== 'close') requests.push(first);
    while (!closing && requests.length < requestsPerCommitMax) {
      const more = receiveMessageOnPort(port);
      if (more === undefined) break;
      if (more.message === 'close') closing = true;
      else requests.push(more.message);
    }
    if (requests.length > 0) {
      for (const reply of carryOutTogether(database, requests)) port.postMessage(reply);
    }
    if (closing) {
      database.close();
      port.close();
    }
  });
}

if (parentPort !== null) {
  const { path } = workerData as { path: string };
  serve(parentPort, LedgerDatabase.reopen(path));
  // What loading has left behind: in a thread that allocates little it would stay for weeks.
  globalThis.gc?.({ type: 'major', execution: 'sync', flavor: 'last-resort' });
}
