import { createHash, createHmac } from 'node:crypto';

/** Where a signature is good for. */
export interface SigningScope {
  /** For example `us-east-1`. */
  readonly region: string;
  /** The service's signing name, for example `medical-imaging`. */
  readonly service: string;
}

export interface SigningKey {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

export interface SignableRequest {
  readonly method: string;
  /** Path and query as they go over the line. */
  readonly path: string;
  /** The headers to be signed, by lower-case names; `host` and `x-amz-date` among them. */
  readonly headers: Readonly<Record<string, string>>;
  /** SHA-256 of the body in hex, or what stands in its place. */
  readonly payloadHash: string;
}

const algorithm = 'AWS4-HMAC-SHA256';

/** The time as `x-amz-date` gives it: ISO 8601 basic format in UTC. */
export function amzDate(now: number): string {
  return `${new Date(now).toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z`;
}

/**
 * The Authorization header of AWS Signature Version 4 ("Create a signed AWS API request", IAM User Guide), for
 * every service but S3, which encodes paths once only.
 */
export function sigv4Authorization(
  request: SignableRequest,
  { region, service }: SigningScope,
  key: SigningKey,
): string {
  const time = request.headers['x-amz-date'] ?? '';
  const date = time.slice(0, 8);
  const names = Object.keys(request.headers).toSorted();
  const signedHeaders = names.join(';');
  const canonical = [
    request.method,
    ...canonicalTarget(request.path),
    ...names.map((name) => `${name}:${oneSpaced(request.headers[name] ?? '')}`),
    '',
    signedHeaders,
    request.payloadHash,
  ].join('\n');
  const scope = `${date}/${region}/${service}/aws4_request`;
  const toSign = [algorithm, time, scope, createHash('sha256').update(canonical).digest('hex')].join('\n');
  const signingKey = [date, region, service, 'aws4_request'].reduce<string | Buffer>(
    (secret, part) => createHmac('sha256', secret).update(part).digest(),
    `AWS4${key.secretAccessKey}`,
  );
  const signature = createHmac('sha256', signingKey).update(toSign).digest('hex');
  return `${algorithm} Credential=${key.accessKeyId}/${scope}, SignedHeaders=${signedHeaders}, Signature=${signature}`;
}

/** Path and query in canonical form, the path encoded once more than on the line. */
function canonicalTarget(target: string): [string, string] {
  const at = target.indexOf('?');
  const path = at < 0 ? target : target.slice(0, at);
  const query = at < 0 ? '' : target.slice(at + 1);
  const pairs = query === '' ? [] : query.split('&').map(canonicalPair);
  // By code point, name before value: "=" sorts after the characters that "%" and digits begin.
  pairs.sort(([a, x], [b, y]) => order(a, b) || order(x, y));
  return [path.split('/').map(encoded).join('/'), pairs.map(([name, value]) => `${name}=${value}`).join('&')];
}

function canonicalPair(pair: string): [string, string] {
  const at = pair.indexOf('=');
  const [name, value] = at < 0 ? [pair, ''] : [pair.slice(0, at), pair.slice(at + 1)];
  return [encoded(decodeURIComponent(name)), encoded(decodeURIComponent(value))];
}

function order(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

/** Everything but the unreserved characters of RFC 3986 §2.3. */
function encoded(text: string): string {
  return encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function oneSpaced(text: string): string {
  return text.trim().replaceAll(/ +/g, ' ');
}
