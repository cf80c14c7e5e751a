import { Option } from 'commander';

/** Where the gateway keeps everything: `--data`, or the environment's GANTRY_DATA. */
export function dataOption(): Option {
  return new Option('--data <dir>', 'data directory of the gateway').env('GANTRY_DATA').makeOptionMandatory();
}
