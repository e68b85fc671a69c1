"""Signed tokens (JWT, RFC 7519; checked as RFC 8725 advises) of an identity provider that the shop trusts."""

import hashlib
import time
from collections import OrderedDict

import jwt

from gateway.auth.jwks import Keys, key_source
from gateway.auth.principal import Principal, Rate
from gateway.auth.scopes import Scope
from gateway.auth.settings import AuthSettings
from vitrine.errors import FailedPrecondition, Unauthenticated

_KNOWN_SCOPES = {scope.value: scope for scope in Scope}
_MAX_KEPT = 10_000
_MAX_TOKEN_CHARACTERS = 8_192
_MAX_NAME_CHARACTERS = 128
_REQUIRED = ["exp", "iss", "aud", "sub"]


class Tokens:
    """Tokens that were checked are kept, by hash, until they expire or the keys change: a signature costs 0.1 ms."""

    def __init__(self, settings: AuthSettings) -> None:
        """Raises FailedPrecondition when issuer or audience is not set, or the JWKS is wrong."""
        if not (settings.jwt_issuer and settings.jwt_audience):
            raise FailedPrecondition(
                "VITRINE_AUTH_JWKS needs VITRINE_AUTH_JWT_ISSUER and _AUDIENCE: "
                "else a token that was made for another service would open this one"
            )
        self._settings = settings
        self._source = key_source(settings.jwks, frozenset(settings.jwt_algorithms))
        per_s = settings.rate_per_s
        self._rate = Rate(per_s, max(1.0, per_s * settings.burst_s)) if per_s else None
        self._kept: OrderedDict[bytes, tuple[str, Principal]] = OrderedDict()
        self._kept_of: Keys | None = None

    async def principal_of(self, token: str) -> Principal:
        """Whose token it is. Raises Unauthenticated, saying what is wrong with it, or Unavailable without keys."""
        digest = hashlib.sha256(token.encode()).digest()
        kid, principal = self._kept.get(digest, ("", None))
        if principal is None:
            kid = self._kid_of(token)
        keys = await self._source.keys(kid)
        if keys is not self._kept_of:
            self._kept.clear()
            self._kept_of, principal = keys, None
        if principal is None:
            principal = self._checked(token, kid, keys)
            self._kept[digest] = kid, principal
            if len(self._kept) > _MAX_KEPT:
                self._kept.popitem(last=False)
        assert principal.expires_at_s is not None
        if time.time() >= principal.expires_at_s:
            raise Unauthenticated("the token has expired; get another", reason="CREDENTIALS_EXPIRED")
        return principal

    async def close(self) -> None:
        """Ends what goes on in the background."""
        await self._source.close()

    def _kid_of(self, token: str) -> str:
        """The key that the token names, empty where it names none. Raises Unauthenticated where it is no token."""
        if len(token) > _MAX_TOKEN_CHARACTERS:
            raise _refused(f"it has more than {_MAX_TOKEN_CHARACTERS} characters")
        try:
            header = jwt.get_unverified_header(token)
        except jwt.InvalidTokenError:
            raise Unauthenticated(
                "the credentials are neither a key nor a token", reason="CREDENTIALS_INVALID"
            ) from None
        if header.get("alg") not in self._settings.jwt_algorithms:
            raise _refused(f"it is signed by another algorithm than {', '.join(self._settings.jwt_algorithms)}")
        return str(header.get("kid", ""))

    def _checked(self, token: str, kid: str, keys: Keys) -> Principal:
        # A token without kid is of the only key there is.
        key = keys.get(kid) or (next(iter(keys.values())) if not kid and len(keys) == 1 else None)
        if key is None:
            raise _refused("it is signed with a key that is not known")
        settings = self._settings
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=[key.algorithm_name],
                issuer=settings.jwt_issuer,
                audience=settings.jwt_audience,
                leeway=settings.jwt_leeway_s,
                options={"require": _REQUIRED},
            )
        except jwt.ExpiredSignatureError:
            raise Unauthenticated("the token has expired; get another", reason="CREDENTIALS_EXPIRED") from None
        except jwt.InvalidTokenError as error:
            raise _refused(_SAID.get(type(error), "it is not signed rightly")) from None
        subject = claims["sub"]
        if not subject.isprintable() or not 0 < len(subject) <= _MAX_NAME_CHARACTERS:
            raise _refused(f"its sub is not a name of 1 to {_MAX_NAME_CHARACTERS} characters")
        said = claims.get(settings.jwt_scopes_claim, ())
        words = said.split() if isinstance(said, str) else said if isinstance(said, list) else ()
        scopes = frozenset(_KNOWN_SCOPES[word] for word in words if isinstance(word, str) and word in _KNOWN_SCOPES)
        return Principal(f"token:{subject}", scopes, self._rate, claims["exp"] + settings.jwt_leeway_s)


_SAID: dict[type[Exception], str] = {
    jwt.InvalidAudienceError: "it is for another audience",
    jwt.InvalidIssuerError: "it is of another issuer",
    jwt.ImmatureSignatureError: "it is not valid yet",
    jwt.MissingRequiredClaimError: f"it must have the claims {', '.join(_REQUIRED)}",
}


def _refused(why: str) -> Unauthenticated:
    return Unauthenticated(f"the token is refused: {why}", reason="CREDENTIALS_INVALID")
