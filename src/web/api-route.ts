import type { Readable } from 'node:stream';
import { z } from 'zod';

/** What people may do, each including what stands before it. */
export const roles = ['viewer', 'technician', 'admin'] as const;
export type Role = (typeof roles)[number];

export function roleIncludes(role: Role, needed: Role): boolean {
  return roles.indexOf(role) >= roles.indexOf(needed);
}

/** Somebody who has signed in, or a program with a token. */
export interface Caller {
  readonly name: string;
  readonly role: Role;
}

/** The session of the browser that asks: what only the routes of signing in need. */
export interface SessionJar {
  /** The session's secret, as the browser sent it; null where it sent none. */
  readonly token: string | null;
  /** Gives the browser a new secret. */
  keep(token: string): void;
  /** Takes it from the browser. */
  drop(): void;
}

export interface ApiContext {
  /** Null where nobody has signed in: on open routes alone. */
  readonly user: Caller | null;
  /** IP address of the other side. */
  readonly address: string;
  readonly session: SessionJar;
}

/** One call of the API: its handler, its place in the OpenAPI document, and who may make it. */
export interface ApiRoute<Q = unknown, R = unknown> {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** `/api/v1/…` with `:name` parameters. */
  readonly path: string;
  readonly role: 'open' | Role;
  readonly summary: string;
  /** Parameters of the path, query and body as one object; of members with one name that of the path counts. */
  readonly request: z.ZodType<Q>;
  readonly response: z.ZodType<R>;
  /** Event code in the audit log; null: nothing is written. The answer leaves after the entry is durable. */
  readonly audit: string | null;
  /** What it was done to, for the audit log: no patient data. The parameters of the path where it is left out. */
  subject?(request: Q): string | null;
  /** @throws GantryError; an `ApiRefusal` where the HTTP status matters */
  handle(request: Q, context: ApiContext): Promise<R>;
}

/** Gives a route its types. */
export function apiRoute<Q, R>(route: ApiRoute<Q, R>): ApiRoute {
  // A handler only ever gets what its own schema let through.
  return route;
}

/** A stream of server-sent events for those who have signed in. */
export interface ApiStream {
  readonly path: string;
  readonly role: Role;
  readonly summary: string;
  /**
   * Starts to follow.
   * @param send one event; what it carries becomes JSON
   * @returns ends it
   */
  follow(send: (event: string, data: unknown) => void): () => void;
}

/** An answer that is a file to keep. */
export class ApiFile {
  readonly name: string;
  readonly body: Buffer | Readable;

  /** @param name letters, digits, `.`, `_` and `-` only */
  constructor(name: string, body: Buffer | Readable) {
    this.name = name;
    this.body = body;
  }
}

const fileTypes = z.registry<{ contentType: string }>();

/** The response schema of a route that answers with an {@link ApiFile}. */
export function fileOf(contentType: string): z.ZodType<ApiFile> {
  return z.custom<ApiFile>((value) => value instanceof ApiFile).register(fileTypes, { contentType });
}

/** Content type of what a route answers with, or null where that is JSON. */
export function fileTypeOf(response: z.ZodType): string | null {
  return fileTypes.get(response)?.contentType ?? null;
}

/** Names of the `:name` parameters of a path. */
export function pathParameters(path: string): string[] {
  return [...path.matchAll(/:(\w+)/g)].map((match) => match[1] ?? '');
}
