import type { FailureText } from '../base/errors.ts';
import type { Role } from './api-route.ts';
import { ApiRefusal } from './problem.ts';

function refusal(
  status: ApiRefusal['status'],
  code: string,
  message: string,
  nextStep: string,
  kind: FailureText['kind'] = 'permanent',
): ApiRefusal {
  return new ApiRefusal(status, { code, kind, message, nextStep });
}

/** The same words whichever of the two is wrong: nobody learns who has an account. */
export function wrongSignIn(): ApiRefusal {
  return refusal(
    401,
    'AUTH_WRONG',
    'Name or password is wrong.',
    'Try again; upper and lower case count. An admin can set a new password; "gantry auth reset" on the box makes a new admin.',
  );
}

/** Nobody is signed out for it: whoever asks has signed in. */
export function passwordWrong(): ApiRefusal {
  return refusal(
    403,
    'AUTH_PASSWORD',
    'The password you have now is another one.',
    'Type the one you signed in with; upper and lower case count.',
  );
}

export function signInFirst(): ApiRefusal {
  return refusal(
    401,
    'AUTH_NEEDED',
    'This needs somebody who has signed in.',
    'Sign in on this page, or send the token of a program.',
  );
}

export function notAllowed(role: Role): ApiRefusal {
  return refusal(
    403,
    'AUTH_ROLE',
    `This may be done by a${role === 'admin' ? 'n' : ''} ${role} only.`,
    'Ask an admin of this box to do it, or to give you that role.',
  );
}

export function sessionEnded(): ApiRefusal {
  return refusal(401, 'AUTH_SESSION_ENDED', 'You are no longer signed in.', 'Sign in again.');
}

export function tokenUnknown(): ApiRefusal {
  return refusal(
    401,
    'AUTH_TOKEN',
    'This token is not known, or no longer good.',
    'Ask an admin of this box for a new one.',
  );
}

const codeWords = {
  unreadable: ['This is not a whole technician code.', 'Copy it again, from its first sign to its last.'],
  signature: [
    'This code was made with a key that this box does not know.',
    'Ask IT to put the public key under "access.technicianKeys" in the configuration, or have a code made on the box.',
  ],
  box: [
    'This code was made for another box.',
    'Ask for one that is made for the id of this box; the page shows it.',
  ],
  expired: ['This code is no longer good: it was good for 8 hours.', 'Ask for a new one.'],
  early: ['This code is not good yet.', 'Check the clock of this box.'],
} as const;

export function codeRefused(why: keyof typeof codeWords, now: number): ApiRefusal {
  const [message, nextStep] = codeWords[why];
  const clock =
    why === 'expired' || why === 'early' ? ` This box's clock says ${new Date(now).toISOString()}.` : '';
  return refusal(401, `AUTH_CODE_${why.toUpperCase()}`, message, `${nextStep}${clock}`);
}

export function passwordWeak(charsMin: number): ApiRefusal {
  return refusal(
    400,
    'USER_PASSWORD',
    `This password is too easy to guess: it needs ${charsMin} characters or more, not all alike, without the name.`,
    'Use a few words that only you would put together.',
  );
}

export function userExists(): ApiRefusal {
  return refusal(
    409,
    'USER_EXISTS',
    'There is a user of that name.',
    'Choose another name, or change that user.',
  );
}

export function userConfigured(): ApiRefusal {
  return refusal(
    409,
    'USER_CONFIGURED',
    'This user comes from the configuration.',
    'Change the user there, under "users".',
  );
}

export function accountMissing(): ApiRefusal {
  return refusal(404, 'ACCOUNT_MISSING', 'There is no such user, token or session.', 'Load the list again.');
}

export function lastAdmin(): ApiRefusal {
  return refusal(
    409,
    'USER_LAST_ADMIN',
    'This is the only admin of this box.',
    'Make somebody else an admin first.',
  );
}

export function tooMany(): ApiRefusal {
  return refusal(
    409,
    'ACCOUNT_TOO_MANY',
    'There are 100 of them already.',
    'Remove those nobody uses any more.',
  );
}
