import { Problem } from '@keyfare/core/problem';
import { identifierText } from '@keyfare/core/text';
import type { PipeTransform } from '@nestjs/common';

/** An id in a path. 400 for what can be no id; what no one has is a 404 of its controller. */
export const idParam: PipeTransform<string, string> = {
  transform: (id) => {
    if (identifierText.safeParse(id).success) return id;
    const errors = ['the id in the path must be 1 to 128 printable ASCII characters'];
    throw new Problem('request/invalid', undefined, { extensions: { errors } });
  },
};
