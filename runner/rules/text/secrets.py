"""Passwords and keys that people paste into a chat: URLs with credentials, and the shapes that services give keys.

The shapes are those that the services document or that secret scanners know; all match in linear time.
"""

from __future__ import annotations

import re

URL = re.compile(
    r"\b[a-z][a-z0-9+.-]{1,20}://(?:"
    r"[^\s/?#@<>\"']{1,500}+@[^\s<>\"')]++"
    r"|[^\s?#<>\"']{1,1000}+[?#][^\s<>\"']{0,1000}?"
    r"\b(?:access_token|api_?key|auth|key|pass(?:word|wd)?|secret|sig(?:nature)?|token|x-amz-signature)=[^\s<>\"')]++)",
    re.IGNORECASE,
)
"""A URL that names a user before its host, or carries a token in its query."""

KEY = re.compile(
    r"-----BEGIN (?:[A-Z]+ ){0,3}PRIVATE KEY-----(?:[^-]++|-(?!----END))*+"
    r"(?:-----END (?:[A-Z]+ ){0,3}PRIVATE KEY-----)?"
    r"|(?<![\w-])eyJ[\w-]{8,}+\.eyJ[\w-]{8,}+\.[\w-]{8,}+"
    r"|\b(?:A3T[A-Z0-9]|AKIA|ASIA|AGPA|AIDA|AROA)[A-Z0-9]{16}\b"
    r"|\bAIza[\w-]{35}(?![\w-])"
    r"|(?<![\w-])(?:gh[opsur]_[A-Za-z0-9]{36,}+|github_pat_\w{22,}+|glpat-[\w-]{20,}+"
    r"|sk-(?=[\w-]{0,60}\d)[\w-]{20,}+|(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{16,}+"
    r"|xox[abeoprs]-[\w-]{10,}+|hf_[A-Za-z0-9]{30,}+|npm_[A-Za-z0-9]{36}\b|pypi-AgE[\w-]{20,}+"
    r"|SG\.[\w-]{16,}+\.[\w-]{16,}+)|\bAC[0-9a-f]{32}\b|\bdop_v1_[0-9a-f]{64}\b"
    r"|(?<=[Bb]earer )[\w.~+/=-]{20,}+"
    r"|(?:(?<=api_key[=:])|(?<=apikey[=:])|(?<=secret[=:])|(?<=token[=:])|(?<=password[=:]))[\w.~+/=!$%-]{8,}+"
)
"""A service's key, a JSON web token (RFC 7519), a bearer token, a private key in PEM form."""
