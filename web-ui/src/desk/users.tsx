import type { JSX } from 'preact';
import type { Role } from '../../../src/web/api-route.ts';
import { ListSection, useList } from './list.tsx';
import { api, Field, Form, GraveButton, RoleField, useFrame } from './parts.tsx';

interface UserView {
  readonly name: string;
  readonly role: Role;
  readonly from: 'page' | 'configuration';
}

/** Who may sign in. */
export function UsersDesk(): JSX.Element {
  const { speech } = useFrame();
  const list = useList<{ users: readonly UserView[] }>('/api/v1/users');
  return (
    <ListSection title={speech.say('desk.users')} show={speech.say('desk.usersShow')} list={list}>
      {({ users }) => (
        <>
          <ul class="rows">
            {users.map(({ name, role, from }) => (
              <li key={name} class="row">
                <span>
                  <b>
                    <bdi>{name}</bdi>
                  </b>{' '}
                  ({speech.say(`desk.role.${role}`)}
                  {from === 'configuration' ? `, ${speech.say('desk.fromConfiguration')}` : ''})
                </span>
                {from === 'configuration' ? null : (
                  <GraveButton
                    busy={list.change.busy}
                    label={`${speech.say('desk.remove')}: ${name}`}
                    onPress={() =>
                      list.act(() => api.call('DELETE', `/api/v1/users/${encodeURIComponent(name)}`))
                    }
                  >
                    {speech.say('desk.remove')}
                  </GraveButton>
                )}
              </li>
            ))}
          </ul>
          {/* Anew once somebody was added: nothing typed stays, least of all a password. */}
          <Form
            key={users.length}
            title={speech.say('desk.addUser')}
            send={speech.say('desk.addUser')}
            onSend={({ name, role, password }) =>
              list.act(() => api.call('POST', '/api/v1/users', { name, role, password }))
            }
          >
            <Field label={speech.say('desk.name')} name="name" />
            <RoleField />
            <Field
              label={speech.say('desk.newPassword')}
              name="password"
              secret
              autocomplete="new-password"
            />
          </Form>
        </>
      )}
    </ListSection>
  );
}
