import { userInfo } from 'node:os';
import type { Command } from 'commander';
import type { Approval } from '../fleet/approve.ts';
import { directoryOption, type KeyOptions, openKey, withKey } from './fleet-custody.ts';

interface Options extends KeyOptions {
  readonly dir: string;
  readonly against?: string;
  readonly device?: string;
  readonly by: string;
  readonly yes?: boolean;
}

/** `fleet approve`: the further signature that settings which send patient data elsewhere may need. */
export function approvalCommand(fleet: Command): void {
  withKey(
    fleet
      .command('approve')
      .argument('<out>', 'folder that "fleet render" wrote to')
      .description('show what sends patient data elsewhere; with --yes sign it and keep a record of it'),
  )
    .addOption(directoryOption())
    .option(
      '--against <folder>',
      'folder with the signed or published documents in use; without it all shows as new',
    )
    .option('--device <id>', 'this box only')
    .option('--by <name>', 'who approves', userInfo().username)
    .option('--yes', 'approve')
    .action(async (out: string, options: Options) => {
      const { carryOutApproval, planApproval } = await import('../fleet/approve.ts');
      const { dir, against = null, device = null, by } = options;
      const what = { directory: dir, out, against, only: device, by, now: new Date() };
      const key = await openKey(options);
      const approval = await planApproval(what, key);
      console.log(approvalText(approval));
      if (options.yes && approval.documents.length > 0)
        console.log(`Approved: ${await carryOutApproval(what, approval, key)}`);
    });
}

function approvalText({ changes, documents }: Approval): string {
  if (documents.length === 0) return 'Nothing here sends patient data elsewhere.';
  return changes
    .map(({ path, before, after, boxes }) => {
      const others = boxes.length === 1 ? '' : ` and ${boxes.length - 1} more`;
      const values = `${JSON.stringify(before)} → ${JSON.stringify(after)}`;
      return `${path} (${boxes[0]}${others})\n  ${values}`;
    })
    .join('\n');
}
