// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Several calls in one transaction, so that tests can see what a reader makes of their logs.
/// @notice For development and tests only: anybody may call anything through it.
contract TestBatcher {
    struct Call {
        address target;
        bytes data;
    }

    /// @notice Makes the calls in their order; reverts when one of them does.
    function run(Call[] calldata calls) external {
        for (uint256 i = 0; i < calls.length; ++i) {
            (bool done,) = calls[i].target.call(calls[i].data);
            require(done, "TestBatcher: a call reverted");
        }
    }
}
