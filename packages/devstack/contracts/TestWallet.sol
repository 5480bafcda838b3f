// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title The smallest smart wallet that can pay: its owner's key signs, the contract says yes (ERC-1271).
/// @notice For development and tests only. The owner is storage slot 0, set by whoever places the code.
contract TestWallet {
    address public owner;
    /// @notice Gas that a check burns on top: storage slot 1, so that a test can have a wallet that is dear to ask.
    uint256 public extraGas;

    bytes4 private constant VALID = 0x1626ba7e;
    bytes4 private constant INVALID = 0xffffffff;

    /// @notice Accepts r ‖ s ‖ v, alone or after one byte naming the validator, as modular accounts send it: so that a
    /// test can have a signature that is valid and is not 65 bytes long.
    function isValidSignature(bytes32 digest, bytes calldata signature) external view returns (bytes4) {
        uint256 start = gasleft();
        uint256 extra = extraGas;
        while (start - gasleft() < extra) {}
        if (signature.length == 66) signature = signature[1:];
        if (signature.length != 65) return INVALID;
        address signer =
            ecrecover(digest, uint8(signature[64]), bytes32(signature[:32]), bytes32(signature[32:64]));
        return signer != address(0) && signer == owner ? VALID : INVALID;
    }
}
