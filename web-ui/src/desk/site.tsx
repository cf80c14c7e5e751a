import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { StatusReport } from '../../../src/health/status.ts';
import { api, Button, Field, Form, Outcome, useCall, useFrame, useMay } from './parts.tsx';

/** Name and time zone of the place, as the page and the schedules of this box know it. */
export function SiteDesk({ site }: { site: StatusReport['site'] }): JSX.Element | null {
  const { speech } = useFrame();
  const call = useCall<true>();
  const [open, setOpen] = useState(false);
  if (!useMay('technician')) return null;
  return (
    <>
      <p class="buttons">
        <Button onPress={() => setOpen(!open)}>{speech.say('desk.site')}</Button>
      </p>
      {open ? (
        <Form
          title={speech.say('desk.siteTitle')}
          send={speech.say('desk.siteNow')}
          onCancel={() => setOpen(false)}
          onSend={({ name = '', timeZone = '' }) =>
            call.run(async () => {
              await api.call('PUT', '/api/v1/site', { name: name.trim(), timeZone: timeZone.trim() });
              setOpen(false);
              return true as const;
            })
          }
        >
          <Field label={speech.say('desk.siteName')} name="name" value={site.name} />
          <Field
            label={speech.say('desk.timeZone')}
            name="timeZone"
            value={site.timeZone}
            choices={Intl.supportedValuesOf('timeZone')}
          />
        </Form>
      ) : null}
      <Outcome call={call}>{() => <p>{speech.say('desk.done')}</p>}</Outcome>
    </>
  );
}
