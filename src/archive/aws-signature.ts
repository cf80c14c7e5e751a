import type { Clock } from '../base/clock.ts';
import type { SealedSecrets } from '../base/sealed-secrets.ts';
import type { AuthConfig } from '../config/schema.ts';
import { ClientFault } from './client-fault.ts';
import type { Credentials, RequestToSign } from './credentials.ts';
import { readSecretText } from './secret-file.ts';
import { amzDate, type SigningKey, sigv4Authorization } from './sigv4.ts';

interface AwsKey extends SigningKey {
  readonly sessionToken: string | null;
}

/**
 * Signs each request by itself (AWS Signature Version 4). The body is not part of the signature: it is streamed
 * from the store, and TLS protects it. The credentials file is read each time, so that one that is rotated counts.
 */
export class AwsSignature implements Credentials {
  readonly #auth: Extract<AuthConfig, { type: 'aws-sigv4' }>;
  readonly #host: string;
  readonly #clock: Clock;
  readonly #sealed: SealedSecrets;

  constructor(
    auth: Extract<AuthConfig, { type: 'aws-sigv4' }>,
    {
      origin,
      clock,
      sealed,
    }: { readonly origin: string; readonly clock: Clock; readonly sealed: SealedSecrets },
  ) {
    this.#auth = auth;
    this.#host = new URL(origin).host;
    this.#clock = clock;
    this.#sealed = sealed;
  }

  /** @throws ClientFault AWS_CREDENTIALS_FILE_UNREADABLE, AWS_CREDENTIALS_FILE_INVALID */
  async headers({ method, path, headers }: RequestToSign): Promise<Record<string, string>> {
    const { credentialsFile, credentialsProfile } = this.#auth;
    const text = await readSecretText(
      { place: credentialsFile, sealed: this.#sealed },
      'AWS_CREDENTIALS_FILE_UNREADABLE',
    );
    const key = awsKeyOf(text, credentialsProfile);
    if (key === null) throw new ClientFault('AWS_CREDENTIALS_FILE_INVALID', { file: credentialsFile });
    const payloadHash = 'UNSIGNED-PAYLOAD';
    const added: Record<string, string> = {
      'x-amz-content-sha256': payloadHash,
      'x-amz-date': amzDate(this.#clock.now()),
    };
    if (key.sessionToken !== null) added['x-amz-security-token'] = key.sessionToken;
    const signed: Record<string, string> = { ...added, host: this.#host };
    const { 'content-type': contentType } = headers;
    if (contentType !== undefined) signed['content-type'] = contentType;
    const authorization = sigv4Authorization({ method, path, headers: signed, payloadHash }, this.#auth, key);
    return { ...added, authorization };
  }

  refresh(): void {}

  close(): Promise<void> {
    return Promise.resolve();
  }
}

/** The keys under one name of a shared credentials file (AWS SDKs and Tools Reference Guide), or null. */
function awsKeyOf(text: string, profile: string): AwsKey | null {
  const settings = new Map<string, string>();
  let inProfile = false;
  for (const line of text.split(/\r?\n/).map((each) => each.trim())) {
    if (line.startsWith('[')) inProfile = line === `[${profile}]`;
    const at = line.indexOf('=');
    if (!inProfile || at < 0 || /^[#;]/.test(line)) continue;
    settings.set(line.slice(0, at).trim().toLowerCase(), line.slice(at + 1).trim());
  }
  const accessKeyId = settings.get('aws_access_key_id') ?? '';
  const secretAccessKey = settings.get('aws_secret_access_key') ?? '';
  const sessionToken = settings.get('aws_session_token') ?? null;
  // Both the id and the token stand in headers.
  if (!/^\w{1,128}$/.test(accessKeyId) || secretAccessKey === '') return null;
  if (sessionToken !== null && !/^[\x21-\x7e]+$/.test(sessionToken)) return null;
  return { accessKeyId, secretAccessKey, sessionToken };
}
