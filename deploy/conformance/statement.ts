import { version } from '../../src/base/version.ts';
import { sopClassAnnex, transferSyntaxAnnex } from './annexes.ts';
import { configuration } from './configuration.ts';
import { blocks } from './markdown.ts';
import { network } from './network.ts';
import { implementationModel, introduction, overview } from './overview.ts';
import { secureTransport } from './secure-transport.ts';
import { characterSets, media, security } from './security.ts';
import { services } from './services.ts';
import { storeOutcomes } from './store-outcomes.ts';

/** The text of `deploy/conformance-statement.md` (PS3.2 Annex N), made from the program's own tables. */
export function statementText(): string {
  const chapters = [
    overview(),
    introduction(),
    implementationModel(),
    relation(),
    services(),
    configuration(),
    blocks(network(), storeOutcomes()),
    security(secureTransport),
    characterSets(),
    media(),
    sopClassAnnex(),
    transferSyntaxAnnex(),
  ];
  const title = `# DICOM Conformance Statement: Gantry ${version}`;
  const made = '_Made from the program by `npm run build:conformance`; do not edit it here._';
  return `${blocks(title, made, contents(chapters), ...chapters)}\n`;
}

/** Chapter 4: what PS3.2 asks for beside the model. */
function relation(): string {
  return blocks(
    '## 4 Deviations and restrictions',
    [
      '- Instances of one SOP Instance UID with different content are both answered 0000 (5.2.3): refusing one would make its modality delete or block it.',
      '- The content of instances is not checked against their IODs; conformance of what is forwarded is that of the modality.',
      '- Requests of one association are worked on one at a time.',
    ].join('\n'),
  );
}

function contents(chapters: readonly string[]): string {
  return chapters
    .map((chapter) => chapter.split('\n')[0]?.replace(/^## /, '') ?? '')
    .map((title) => `- [${title}](#${anchor(title)})`)
    .join('\n');
}

function anchor(title: string): string {
  return title
    .toLowerCase()
    .replaceAll(/[^\w\s-]/g, '')
    .trim()
    .replaceAll(/\s/g, '-');
}
