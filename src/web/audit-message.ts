import type { AuditEntry } from './audit-log.ts';

export interface AuditSource {
  /** Names the box. */
  readonly box: string;
  readonly site: string;
}

type Code = readonly [value: string, meaning: string];

/** Event and event type of PS3.15 A.5.3 (codes of PS3.16 CID 400, 401), and the action: Create, Read, Update, Delete, Execute. */
interface EventKind {
  readonly id: Code;
  readonly type: Code | null;
  readonly action: 'C' | 'R' | 'U' | 'D' | 'E';
}

const authentication: Code = ['110114', 'User Authentication'];
const alert: Code = ['110113', 'Security Alert'];
const activity: Code = ['110100', 'Application Activity'];
const login: EventKind = { id: authentication, type: ['110122', 'Login'], action: 'E' };
const logout: EventKind = { id: authentication, type: ['110123', 'Logout'], action: 'E' };
const userChange: EventKind = {
  id: alert,
  type: ['110137', 'User Security Attributes Changed'],
  action: 'U',
};
const logUsed: EventKind = { id: ['110101', 'Audit Log Used'], type: null, action: 'R' };
const exported: EventKind = { id: ['110106', 'Export'], type: null, action: 'R' };

const kinds: Readonly<Record<string, EventKind>> = {
  SIGN_IN: login,
  SIGN_IN_CODE: login,
  PAIRING: login,
  SIGN_OUT: logout,
  SESSION_ENDED: logout,
  SESSIONS_ENDED: logout,
  USER_ADDED: userChange,
  USER_CHANGED: userChange,
  USER_REMOVED: userChange,
  PASSWORD_CHANGED: userChange,
  TOKEN_MADE: userChange,
  TOKEN_REMOVED: userChange,
  AUTH_RESET: { id: alert, type: ['110127', 'Emergency Override Started'], action: 'E' },
  AUDIT_CHAIN_BROKEN: { id: alert, type: ['110135', 'Object Security Attributes Changed'], action: 'E' },
  AUDIT_READ: logUsed,
  AUDIT_EXPORTED: logUsed,
  STARTED: { id: activity, type: ['110120', 'Application Start'], action: 'E' },
  STOPPED: { id: activity, type: ['110121', 'Application Stop'], action: 'E' },
  STUDY_REVEALED: { id: ['110103', 'DICOM Instances Accessed'], type: null, action: 'R' },
  RECEIPT_READ: exported,
};

/** What is done with this box's own means: a restricted function of it was used. */
const restricted: EventKind = { id: alert, type: ['110132', 'Use of Restricted Function'], action: 'E' };

/**
 * One entry as an audit message of DICOM PS3.15 A.5.1. A study is named by its key, which says nothing about whose
 * it is: whoever may know looks it up on the box.
 */
export function auditMessage(entry: AuditEntry, { box, site }: AuditSource): string {
  const { id, type, action } = kinds[entry.event] ?? restricted;
  const isAddress = !['console', 'box', 'central'].includes(entry.address);
  const words = entry.code === null ? entry.event : `${entry.event} ${entry.code}`;
  return [
    '<AuditMessage>',
    element(
      'EventIdentification',
      {
        EventActionCode: action,
        EventDateTime: entry.at,
        // 4: minor failure; what was asked for was not done, and nothing else came of it.
        EventOutcomeIndicator: entry.outcome === 'success' ? '0' : '4',
      },
      coded('EventID', id) +
        (type === null ? '' : coded('EventTypeCode', type)) +
        `<EventOutcomeDescription>${escaped(words)}</EventOutcomeDescription>`,
    ),
    element('ActiveParticipant', {
      UserID: entry.actor ?? (entry.address === 'box' ? box : 'unknown'),
      UserIsRequestor: 'true',
      ...(entry.role === null ? {} : { UserName: entry.role }),
      ...(isAddress ? { NetworkAccessPointTypeCode: '2', NetworkAccessPointID: entry.address } : {}),
    }),
    element(
      'ActiveParticipant',
      { UserID: box, UserIsRequestor: 'false' },
      coded('RoleIDCode', ['110150', 'Application']),
    ),
    element(
      'AuditSourceIdentification',
      { AuditSourceID: box, AuditEnterpriseSiteID: site },
      element('AuditSourceTypeCode', { 'csd-code': '4' }),
    ),
    entry.subject === null ? '' : subjectObject(entry.subject),
    '</AuditMessage>',
  ].join('');
}

/** Every entry, as one XML document. */
export function auditExport(entries: readonly AuditEntry[], source: AuditSource): string {
  const messages = entries.map((entry) => auditMessage(entry, source));
  return `<?xml version="1.0" encoding="UTF-8"?>\n<AuditMessages>\n${messages.join('\n')}\n</AuditMessages>\n`;
}

function subjectObject(subject: string): string {
  // 2, 13: a system object, a security resource.
  return element(
    'ParticipantObjectIdentification',
    { ParticipantObjectID: subject, ParticipantObjectTypeCode: '2', ParticipantObjectTypeCodeRole: '13' },
    element('ParticipantObjectIDTypeCode', {
      'csd-code': '12',
      codeSystemName: 'RFC-3881',
      originalText: 'URI',
    }),
  );
}

function coded(name: string, [value, meaning]: Code): string {
  return element(name, { 'csd-code': value, codeSystemName: 'DCM', originalText: meaning });
}

function element(name: string, attributes: Readonly<Record<string, string>>, content = ''): string {
  const texts = Object.entries(attributes).map(([key, value]) => ` ${key}="${escaped(value)}"`);
  return content === '' ? `<${name}${texts.join('')}/>` : `<${name}${texts.join('')}>${content}</${name}>`;
}

/** Text that XML 1.0 can hold. */
function escaped(text: string): string {
  return text
    .replaceAll(/[^\t\n\r\x20-\uD7FF\uE000-\uFFFD]/g, '?')
    .replaceAll(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
}
