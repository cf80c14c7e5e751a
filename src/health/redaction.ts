const hidden = '(hidden)';

/** What says who signs in, or with what. A path to a file that holds a secret says nothing, and stays. */
const secretKeys = /pass|secret|token|hash|credential|apikey|^key$|^code$|^user$|^clientId$|salt/i;
const fileKeys = /(?:File|Url)$/;
const entriesMax = 2000;

/**
 * A configuration document fit to be handed out: without user names, secrets and the people who may sign in;
 * addresses without what stands behind the host, where a secret is often put.
 */
export function redactConfig(document: unknown): unknown {
  if (typeof document !== 'object' || document === null) return document;
  return Object.fromEntries(
    Object.entries(document).map(([section, value]) => {
      if (section !== 'users') return [section, redact(value, section)];
      const count = typeof value === 'object' && value !== null ? Object.keys(value).length : 0;
      return [section, `${hidden}: ${count}`];
    }),
  );
}

function redact(value: unknown, key: string): unknown {
  if (Array.isArray(value)) return value.slice(0, entriesMax).map((item) => redact(item, key));
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(
      Object.entries(value).map(([name, item]) => [
        name,
        secretKeys.test(name) && !fileKeys.test(name) ? hiddenOf(item) : redact(item, name),
      ]),
    );
  }
  return typeof value === 'string' ? withoutUrlSecrets(value) : value;
}

function hiddenOf(value: unknown): unknown {
  return value === null ? null : hidden;
}

/** Only the DICOMweb services, whose path is fixed, keep theirs. */
function withoutUrlSecrets(text: string): string {
  const url = /^[a-z]+:\/\//i.test(text) ? URL.parse(text) : null;
  if (url === null) return text;
  const path = url.pathname === '/' ? '' : url.pathname.endsWith('/studies') ? url.pathname : `/${hidden}`;
  return `${url.protocol}//${url.host}${path}`;
}
