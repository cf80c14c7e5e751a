import { z } from 'zod';
import { defaultLayout, layoutFault } from '../dicom/folder-layout.ts';
import { allowTestStudy } from './document-line.ts';
import { filePath } from './values.ts';

const layout = z.string().superRefine((text, context) => {
  const fault = layoutFault(text);
  if (fault !== null)
    context.addIssue({ code: 'custom', message: fault.cause, params: { suggestion: fault.suggestion } });
});

export const folderDestination = z
  .strictObject({
    type: z.literal('folder').describe('A folder on a mounted volume (NAS, DAS, SAN), as DICOM files.'),
    path: filePath.describe(
      'Path of the folder. Put an empty file ".gantry-folder" into it once, while the volume is mounted: without that file nothing is written, so that a volume that is away never fills the disk of this box.',
    ),
    layout: layout
      .default(defaultLayout)
      .describe(
        'Where in the folder an image goes: levels parted by "/", of letters, digits, "-", "_", "." and of {study} {series} {instance} (UIDs), {studyHash} {instanceHash}, {date} (of receipt, YYYYMMDD), {modality} and {callingAe}. The last level holds {instance} or {instanceHash}.',
      ),
    allowTestStudy,
  })
  .describe('One folder. Every file is read back and compared byte for byte.');
