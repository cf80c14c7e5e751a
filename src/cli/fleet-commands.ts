import type { Command } from 'commander';
import { addChannelCommands } from './fleet-channels.ts';
import { addCertificateCommands } from './fleet-certificates.ts';
import { addCustodyCommands } from './fleet-custody.ts';
import { addCommandCommands } from './fleet-command.ts';
import { addDeviceCommands } from './fleet-device.ts';
import { addFleetEnrollCommand } from './enroll-commands.ts';
import { addDeskCommands } from './fleet-desk.ts';
import { addOverrideCommands } from './fleet-overrides.ts';
import { addRolloutCommands } from './fleet-rollout.ts';
import { addSecretCommands } from './fleet-secrets.ts';
import { addStatusCommands } from './fleet-status.ts';

/** Commands of central IT. Each group adds its own to `gantry fleet`. */
export function addFleetCommands(program: Command): void {
  const fleet = program
    .command('fleet')
    .description('configure many boxes from a git folder (for central IT)');
  addDeskCommands(fleet);
  addRolloutCommands(fleet);
  addCustodyCommands(fleet);
  addSecretCommands(fleet);
  addFleetEnrollCommand(fleet);
  addCertificateCommands(fleet);
  addDeviceCommands(fleet);
  addStatusCommands(fleet);
  addOverrideCommands(fleet);
  addChannelCommands(fleet);
  addCommandCommands(fleet);
}
