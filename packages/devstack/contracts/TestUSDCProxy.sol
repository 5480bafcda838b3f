// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title The proxy in front of the test USDC, which makes it cost what USDC costs.
/// @notice For development and tests only. USDC is a proxy of ZeppelinOS: each call reads the admin's and the
/// implementation's slot and delegates. In a batch all calls but the first find them warm, and a chain without the proxy
/// would show less of what batches save than the real token does.
contract TestUSDCProxy {
    /// @dev keccak256("org.zeppelinos.proxy.admin"): the admin alone is not passed on.
    bytes32 private constant ADMIN_SLOT = 0x10d6a54a4754c8869d6886b5f5d7fbfa5b4522237ea5c60d11bc4e7a1ff9390b;
    /// @dev keccak256("org.zeppelinos.proxy.implementation")
    bytes32 private constant IMPLEMENTATION_SLOT = 0x7050c9e0f4ca769c69bd3a8ef740bc37934f8e2c036e5a723fd8ee048ed3f8c3;

    fallback() external {
        address admin;
        assembly ("memory-safe") {
            admin := sload(ADMIN_SLOT)
        }
        require(msg.sender != admin, "Cannot call fallback function from the proxy admin");
        assembly {
            calldatacopy(0, 0, calldatasize())
            let done := delegatecall(gas(), sload(IMPLEMENTATION_SLOT), 0, calldatasize(), 0, 0)
            returndatacopy(0, 0, returndatasize())
            if iszero(done) { revert(0, returndatasize()) }
            return(0, returndatasize())
        }
    }
}
