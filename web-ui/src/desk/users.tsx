import type { JSX } from 'preact';
import type { Role } from '../../../src/web/api-route.ts';
import { roles } from './roles.ts';
import { api, Button, Field, Form, GraveButton, Outcome, useCall, useFrame } from './parts.tsx';

interface UserView {
  readonly name: string;
  readonly role: Role;
  readonly from: 'page' | 'configuration';
}

/** Who may sign in. */
export function UsersDesk(): JSX.Element {
  const { speech } = useFrame();
  const list = useCall<{ users: readonly UserView[] }>();
  const change = useCall<true>();
  const look = () => list.run(() => api.call('GET', '/api/v1/users'));
  const act = (work: () => Promise<unknown>) =>
    change.run(async () => {
      await work();
      look();
      return true as const;
    });
  return (
    <>
      <h3>{speech.say('desk.users')}</h3>
      <p class="buttons">
        <Button busy={list.busy} onPress={look}>
          {speech.say('desk.usersShow')}
        </Button>
      </p>
      <Outcome call={change} />
      <Outcome call={list}>
        {({ users }) => (
          <>
            <ul class="rows">
              {users.map(({ name, role, from }) => (
                <li key={name} class="buttons">
                  <span>
                    <b>
                      <bdi>{name}</bdi>
                    </b>{' '}
                    ({speech.say(`desk.role.${role}`)}
                    {from === 'configuration' ? `, ${speech.say('desk.fromConfiguration')}` : ''})
                  </span>
                  {from === 'configuration' ? null : (
                    <GraveButton
                      busy={change.busy}
                      onPress={() =>
                        act(() => api.call('DELETE', `/api/v1/users/${encodeURIComponent(name)}`))
                      }
                    >
                      {speech.say('desk.remove')}
                    </GraveButton>
                  )}
                </li>
              ))}
            </ul>
            <Form
              title={speech.say('desk.addUser')}
              send={speech.say('desk.addUser')}
              onSend={({ name, role, password }) =>
                act(() => api.call('POST', '/api/v1/users', { name, role, password }))
              }
            >
              <Field label={speech.say('desk.name')} name="name" />
              <label class="field">
                <span>{speech.say('desk.role')}</span>
                <select name="role">
                  {roles.map((role) => (
                    <option key={role} value={role}>
                      {speech.say(`desk.role.${role}`)}
                    </option>
                  ))}
                </select>
              </label>
              <Field
                label={speech.say('desk.newPassword')}
                name="password"
                secret
                autocomplete="new-password"
              />
            </Form>
          </>
        )}
      </Outcome>
    </>
  );
}
