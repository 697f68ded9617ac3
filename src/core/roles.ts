// The four roles and their order. What a route asks for stands in the route table; what people may do to one another's
// roles is core/membership.ts.

export const ROLES = ['viewer', 'editor', 'admin', 'owner'] as const;
export type Role = (typeof ROLES)[number];

export function isRole(text: unknown): text is Role {
  return (ROLES as readonly unknown[]).includes(text);
}

/** Whether `role` is as high as `least`; what is no role is below all of them. */
export function isAtLeast(role: string | undefined, least: Role): boolean {
  return isRole(role) && ROLES.indexOf(role) >= ROLES.indexOf(least);
}

export function lowerRole(one: Role, other: Role): Role {
  return isAtLeast(one, other) ? other : one;
}
