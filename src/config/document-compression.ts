import { z } from 'zod';

export const compressionCodecs = ['htj2k', 'jpeg-ls'] as const;

export const compression = z
  .strictObject({
    mode: z
      .enum(['auto', 'off', 'always'])
      .default('auto')
      .describe(
        'When images are compressed without loss before they are sent: "auto" where they arrive sooner for it, by measurement; "always" wherever the archive takes it; "off" never.',
      ),
    syntaxes: z
      .array(z.enum(compressionCodecs))
      .min(1)
      .max(compressionCodecs.length)
      .refine((names) => new Set(names).size === names.length, {
        error: 'names one form twice',
        params: { suggestion: 'Name each once.' },
      })
      .default([...compressionCodecs])
      .describe(
        'The compressed forms to use, the preferred one first: "htj2k" (High-Throughput JPEG 2000 Lossless) and "jpeg-ls" (JPEG-LS Lossless). An archive that refuses one gets the next.',
      ),
    atRest: z
      .boolean()
      .default(true)
      .describe(
        'Whether the compressed form of an image takes the place of the received one on the disk, once it is proven and clearly smaller. What was received is made from it again where it is needed.',
      ),
    workers: z
      .int()
      .min(1)
      .max(64)
      .optional()
      .describe(
        'Threads that compress, behind all others. Absent: one fewer than the machine has processors, and at least two.',
      ),
  })
  .prefault({})
  .describe('Lossless compression on the way to the archive. Each image is proven to come back bit for bit.');
