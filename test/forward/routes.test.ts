import { describe, expect, test } from 'vitest';
import { destinationsOf, removedDestinations } from '../../src/forward/routes.ts';

describe('routes', () => {
  test('the default route says where, each destination once', () => {
    expect(
      destinationsOf({ default: { to: ['cloud', 'pacs', 'cloud'] } }, ['cloud', 'pacs', 'spare']),
    ).toEqual(['cloud', 'pacs']);
  });

  test('without a route everything goes everywhere', () => {
    expect(destinationsOf({}, ['cloud', 'pacs'])).toEqual(['cloud', 'pacs']);
  });

  test('a destination that is configured no longer keeps its work, visibly', () => {
    expect(removedDestinations(['cloud', 'gone'], ['cloud'])).toEqual(['gone']);
  });
});
