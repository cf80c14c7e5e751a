import { expect, test } from 'vitest';
import { Admission, type Occupancy } from '../../src/intake/admission.ts';
import type { AssociationRequest } from '../../src/intake/associate-request.ts';
import { negotiate, proposalNames } from '../../src/intake/negotiation.ts';
import type { AdmissionOptions } from '../../src/intake/options.ts';
import type { IntakeGate } from '../../src/spool/types.ts';

const options: AdmissionOptions = {
  aeTitle: 'GANTRY',
  aliases: ['STORE_SCP'],
  unknownCallers: 'refuse',
  unknownSopClasses: 'accept',
  modalities: {
    'ct north': { aeTitle: 'CT1', addresses: ['10.4.1.0/24', 'fd00:4::/32'], priority: 'stat' },
    'ct south': { aeTitle: 'CT1', addresses: ['10.5.0.7'], priority: 'routine' },
    anywhere: { aeTitle: 'US 2', addresses: [], priority: 'routine' },
  },
};
const limits = { presentationContextsMax: 3, transferSyntaxesPerContextMax: 64 };
const ctClass = '1.2.840.10008.5.1.4.1.1.2';
const explicit = '1.2.840.10008.1.2.1';
const request: AssociationRequest = {
  protocolVersion: 1,
  calledAeTitle: 'GANTRY',
  callingAeTitle: 'CT1',
  echoed: Buffer.alloc(64),
  applicationContext: '1.2.840.10008.3.1.1.1',
  contexts: [{ id: 1, abstractSyntax: ctClass, transferSyntaxes: [explicit] }],
  pduBytesMax: 16_384,
  proposesWindow: false,
  roles: new Map(),
};
const empty: Occupancy = { associations: 0, associationsMax: 64, fromPeer: 0, fromPeerMax: 16 };
const open: IntakeGate = { open: true };

function decide(
  change: Partial<AssociationRequest> = {},
  address = '10.4.1.20',
  setting: { gate?: IntakeGate; occupancy?: Partial<Occupancy>; options?: Partial<AdmissionOptions> } = {},
): string {
  const admission = new Admission({ ...options, ...setting.options }, limits);
  const occupancy = { ...empty, ...setting.occupancy };
  const decision = admission.decide({ ...request, ...change }, address, setting.gate ?? open, occupancy);
  if (decision.admitted) return `${decision.caller.modalityName} ${decision.caller.priority}`;
  const { result, source, reason } = decision.reject;
  return `${result}/${source}/${reason} ${decision.why.code} ${decision.modalityName}`;
}

test('a caller is known by AE title and address together', () => {
  expect(decide()).toBe('ct north stat');
  expect(decide({}, '::ffff:10.4.1.20')).toBe('ct north stat');
  expect(decide({}, 'fd00:4::17')).toBe('ct north stat');
  expect(decide({}, '10.5.0.7')).toBe('ct south routine');
  expect(decide({ callingAeTitle: 'US 2' }, '203.0.113.9')).toBe('anywhere routine');
  expect(decide({ callingAeTitle: 'US 2' }, 'fe80::1%eth0')).toBe('anywhere routine');
  expect(decide({ calledAeTitle: 'STORE_SCP' })).toBe('ct north stat');
});

test('each reason to refuse has its own code on the wire and in words', () => {
  expect(decide({ protocolVersion: 2 })).toBe('1/2/2 PROTOCOL_VERSION ct north');
  expect(decide({ protocolVersion: 3 })).toBe('ct north stat');
  expect(decide({ applicationContext: '1.2.3' })).toBe('1/1/2 APPLICATION_CONTEXT ct north');
  expect(decide({ calledAeTitle: 'OTHER' })).toBe('1/1/7 CALLED_AE_TITLE ct north');
  expect(decide({ calledAeTitle: 'gantry' })).toBe('1/1/7 CALLED_AE_TITLE ct north');
  expect(decide({ callingAeTitle: 'MR9' })).toBe('1/1/3 CALLING_AE_TITLE null');
  expect(decide({ callingAeTitle: '' })).toBe('1/1/3 CALLING_AE_TITLE null');
  expect(decide({}, '10.4.2.20')).toBe('1/1/3 CALLING_ADDRESS ct north');
  expect(decide({}, 'not an address')).toBe('1/1/3 CALLING_ADDRESS ct north');
  const closed: IntakeGate = { open: false, reason: { code: 'SPOOL_DISK_FULL', words: 'No space.' } };
  expect(decide({}, '10.4.1.20', { gate: closed })).toBe('2/3/1 SPOOL_DISK_FULL ct north');
  expect(decide({}, '10.4.1.20', { occupancy: { associations: 64 } })).toBe(
    '2/3/2 ASSOCIATIONS_FULL ct north',
  );
  expect(decide({}, '10.4.1.20', { occupancy: { fromPeer: 16 } })).toBe(
    '2/3/2 ASSOCIATIONS_FULL_PEER ct north',
  );
  const contexts = [{ id: 1, abstractSyntax: ctClass, transferSyntaxes: Array<string>(65).fill(explicit) }];
  expect(decide({ contexts })).toBe('1/3/2 TOO_MANY_TRANSFER_SYNTAXES ct north');
  const four = [1, 3, 5, 7].map((id) => ({ id, abstractSyntax: ctClass, transferSyntaxes: [explicit] }));
  expect(decide({ contexts: four })).toBe('1/3/2 TOO_MANY_CONTEXTS ct north');
  expect(decide({ contexts: four.slice(1) })).toBe('ct north stat');
});

test('unknown callers may be accepted, but not without a title', () => {
  const accept = { options: { unknownCallers: 'accept' } } as const;
  expect(decide({ callingAeTitle: 'MR9' }, '192.0.2.1', accept)).toBe('null routine');
  expect(decide({}, '192.0.2.1', accept)).toBe('null routine');
  expect(decide({ callingAeTitle: '\u0000' }, '192.0.2.1', accept)).toBe('1/1/3 CALLING_AE_TITLE null');
});

test('an address that is none is found when the rules are made', () => {
  for (const address of ['10.4.1.0/33', 'ct1.clinic.example', '10.4.1/24', '10.4.1.0/', 'fd00::/129']) {
    const modalities = { ct: { aeTitle: 'CT1', addresses: [address], priority: 'routine' as const } };
    expect(() => new Admission({ ...options, modalities }, limits), address).toThrow('neither an IP address');
  }
});

test('storage in any transfer syntax is accepted, known other services and the SCP role are not', () => {
  const context = (id: number, abstractSyntax: string, ...transferSyntaxes: string[]) => ({
    id,
    abstractSyntax,
    transferSyntaxes,
  });
  const proposed: AssociationRequest = {
    ...request,
    contexts: [
      context(1, ctClass, '1.2.840.10008.1.2', explicit, '1.2.840.10008.1.2.4.70'),
      context(3, '1.2.840.113619.4.26', '1.2.840.10008.1.2'), // private
      context(5, '1.2.840.10008.5.1.4.1.2.2.1', '1.2.840.10008.1.2'), // Study Root FIND
      context(7, '1.2.840.10008.1.1', '1.2.840.10008.1.2'),
      context(9, ctClass, 'not a UID'),
      context(11, 'not a UID', explicit),
      context(13, '1.2.840.10008.5.1.4.1.1.4', explicit), // MR, as receiver only
      context(15, ctClass, '1.2.3.4'),
    ],
    roles: new Map([['1.2.840.10008.5.1.4.1.1.4', { scu: false, scp: true }]]),
  };
  const answers = (unknown: 'accept' | 'refuse') =>
    negotiate(proposed, unknown).map(({ id, result, accepted }) => [id, result, accepted?.TransferSyntaxUID]);
  expect(answers('accept')).toEqual([
    [1, 0, '1.2.840.10008.1.2.4.70'],
    [3, 0, '1.2.840.10008.1.2'],
    [5, 3, undefined],
    [7, 0, '1.2.840.10008.1.2'],
    [9, 4, undefined],
    [11, 3, undefined],
    [13, 1, undefined],
    [15, 0, '1.2.3.4'],
  ]);
  expect(answers('refuse')[1]).toEqual([3, 3, undefined]);
  const names = proposalNames(proposed);
  expect(names.sopClasses).toContain('CT Image Storage');
  expect(JSON.stringify(names)).not.toMatch(/\d\.\d+\.\d+\.\d+/);
});
