import { type CatalogueSection, refusalCatalogue } from './refusal-catalogue.ts';

/** The text of `deploy/refusals.md`. */
export function refusalsFileText(): string {
  return [preface, ...refusalCatalogue.map(sectionText)].join('\n');
}

const preface = `# Why was my scanner refused?

Every refusal has a code. It stands on the page and in \`/api/v1/status\` beside the time, the address, the AE titles
and what the device asked for; in the log; and as the label \`reason\` of the metric
\`gantry_association_rejected_total\`. Find the code here. None of these entries holds patient data or a UID.

The last column is what the device itself gets to see: in A-ASSOCIATE-RJ result, source and reason (PS3.8 table
9-21; result 2 means "try again later"), in A-ABORT source and reason (PS3.8 table 9-26).

Made from the code by \`npm run build:refusals\`.
`;

function sectionText({ title, refusals }: CatalogueSection): string {
  const rows = refusals.map(
    ({ code, message, nextStep, answer }) =>
      `| \`${code}\` | ${cell(message)} | ${cell(nextStep)} | ${cell(answer)} |`,
  );
  const head = ['| Code | What happened | What to do | The device sees |', '|---|---|---|---|'];
  return [`## ${title}`, '', ...head, ...rows, ''].join('\n');
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}
