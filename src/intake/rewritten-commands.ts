import { errorComment, storeStatuses } from '../dicom/statuses.ts';
import { parseUid } from '../dicom/uid.ts';
import { type CommandSet, commandFields, noDataSet, writeCommandSet } from './command-set.ts';
import { writeDataPdu } from './pdu.ts';

/** The command as we understood it: nothing a peer made up reaches the library's parser. */
export function commandForLibrary(command: CommandSet): Buffer {
  return writeCommandSet({
    AffectedSOPClassUID: parseUid(command.AffectedSOPClassUID ?? ''),
    CommandField: command.CommandField,
    MessageID: command.MessageID,
    Priority: 0,
    CommandDataSetType: command.hasDataSet ? 0 : noDataSet,
    AffectedSOPInstanceUID: parseUid(command.AffectedSOPInstanceUID ?? ''),
  });
}

/** The answer to an operation that is not offered (PS3.7 Annex C.5.22), as a whole PDU. */
export function unofferedResponse(contextId: number, command: CommandSet): Buffer {
  const { status, words } = storeStatuses.unrecognizedOperation;
  const response = writeCommandSet({
    AffectedSOPClassUID: parseUid(command.AffectedSOPClassUID ?? ''),
    CommandField: command.CommandField | commandFields.responseBit,
    MessageIDBeingRespondedTo: command.MessageID,
    CommandDataSetType: noDataSet,
    Status: status,
    ErrorComment: errorComment(words),
  });
  return writeDataPdu(contextId, 'command', true, response);
}
