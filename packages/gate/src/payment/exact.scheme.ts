import { Problem } from '@keyfare/core/problem';
import { checkSignature, findToken, type SignatureVerifier } from '@keyfare/core/x402';
import type { Scheme } from './scheme.js';

/** The scheme `exact` on EVM with EIP-3009 `transferWithAuthorization` (x402 scheme_exact_evm). */
export function exactScheme(verifier: SignatureVerifier): Scheme {
  return {
    name: 'exact',
    prove: ({ x402Version, authorization, signature, accepted, identifier }, { settings }) => {
      const { network } = settings;
      const payment = {
        x402Version,
        network,
        authorization,
        ...(accepted && { accepted }),
        ...(identifier !== undefined && { identifier }),
      };
      const named = accepted === undefined ? null : findToken(network, accepted.asset);
      // Version 1 names no asset. A key's signature is of one domain only, so it tells which.
      for (const asset of named === null ? network.tokens : [named]) {
        const verdict = checkSignature({ authorization, signature, terms: { network, asset }, verifier });
        if (verdict.ok) return { ...payment, asset, signature: verdict.signature, proof: 'key' };
        if (signature.length < 4) throw new Problem(verdict.code, verdict.detail);
      }
      return { ...payment, asset: named, signature, proof: 'code' };
    },
    read: ({ asset, payer, nonce }, { chain }) => chain.readPayer({ asset, payer, nonce }),
    simulate: (movement, { chain, wallet }) => {
      const { asset, payer: from, payTo: to, amount: value, validAfter, validBefore, nonce, signature } = movement;
      const authorization = { from, to, value, validAfter, validBefore, nonce };
      const { address: sender, gasLimit } = wallet;
      return chain.simulateTransfer({ asset, authorization, signature, sender, gasLimit });
    },
  };
}
