// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Many calls in one transaction, each of which may fail alone: settles many payments at once.
/// @notice `aggregate3` has the interface of Multicall3, so either contract takes the same calldata. It holds no money and
/// has no owner: an EIP-3009 authorization names its payee, so it does not matter who submits it.
contract PaymentBatch {
    struct Call3 {
        address target;
        bool allowFailure;
        bytes callData;
    }

    struct Result {
        bool success;
        bytes returnData;
    }

    /// @notice Makes the calls in their order and reverts only when one fails that may not.
    /// @dev Multicall3 gives each call all the gas that is left, so that a payer whose code burns it takes every row behind
    /// along. Here a call gets its share at most: what is left, divided by the calls that are still to be made. What a call
    /// does not use is shared by those behind it.
    function aggregate3(Call3[] calldata calls) external returns (Result[] memory results) {
        uint256 length = calls.length;
        results = new Result[](length);
        for (uint256 i = 0; i < length;) {
            Call3 calldata row = calls[i];
            Result memory result = results[i];
            unchecked {
                (result.success, result.returnData) = row.target.call{gas: gasleft() / (length - i)}(row.callData);
                ++i;
            }
            require(result.success || row.allowFailure, "PaymentBatch: a call failed");
        }
    }
}
