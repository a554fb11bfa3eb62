"""The errors of the account API: clients react to their names (docs/sandbox-exchange.md E9)."""

from http import HTTPStatus

from tradingsite.sandbox.http.messages import Response, json_response

_BAD, _UNAUTHORIZED = HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED

_ERRORS: dict[str, tuple[HTTPStatus, str]] = {
    "no_authorization_token": (_UNAUTHORIZED, "인증 토큰이 없습니다."),
    "invalid_access_key": (_UNAUTHORIZED, "잘못된 엑세스 키입니다."),
    "jwt_verification": (_UNAUTHORIZED, "Jwt 토큰 검증에 실패했습니다."),
    "expired_access_key": (_UNAUTHORIZED, "This key has expired."),
    "nonce_used": (_UNAUTHORIZED, "이미 사용된 nonce 입니다."),
    "invalid_query_payload": (_UNAUTHORIZED, "Jwt의 query를 검증하는데 실패하였습니다."),
    "no_authorization_ip": (_UNAUTHORIZED, "This is not a verified IP."),
    "out_of_scope": (HTTPStatus.FORBIDDEN, "권한이 부족합니다."),
    "order_not_found": (HTTPStatus.NOT_FOUND, "주문을 찾지 못했습니다."),
    "validation_error": (_BAD, "잘못된 파라미터"),
    "create_bid_error": (_BAD, "주문 요청 정보가 올바르지 않습니다."),
    "create_ask_error": (_BAD, "주문 요청 정보가 올바르지 않습니다."),
    "invalid_price_bid": (_BAD, "주문가격 단위를 잘못 입력하셨습니다. 확인 후 시도해주세요."),
    "invalid_price_ask": (_BAD, "주문가격 단위를 잘못 입력하셨습니다. 확인 후 시도해주세요."),
    "under_min_total_bid": (_BAD, "최소주문금액 이상으로 주문해주세요"),
    "under_min_total_ask": (_BAD, "최소주문금액 이상으로 주문해주세요"),
    "invalid_funds": (_BAD, "최대주문금액을 초과했습니다."),
    "volume_too_large": (_BAD, "최대주문금액을 초과했습니다."),
    "insufficient_funds_bid": (_BAD, "주문가능한 금액({currency})이 부족합니다."),
    "insufficient_funds_ask": (_BAD, "주문가능한 금액({currency})이 부족합니다."),
    "market_offline": (_BAD, "현재 거래할 수 없는 페어입니다."),
    "duplicate_identifier": (_BAD, "이미 사용된 identifier 입니다. (identifier has already been used)"),
}


class Denied(Exception):
    """The request is refused with one of the names above; `message` replaces the usual text."""

    def __init__(self, name: str, message: str | None = None) -> None:
        self.status, default_message = _ERRORS[name]
        self.name = name
        self.message = message or default_message
        super().__init__(f"{name}: {self.message}")

    @classmethod
    def insufficient_funds(cls, side: str, currency: str) -> "Denied":
        name = f"insufficient_funds_{side}"
        return cls(name, _ERRORS[name][1].format(currency=currency))

    def response(self) -> Response:
        return refusal(self.status, self.name, self.message)


def invalid(message: str) -> Denied:
    return Denied("validation_error", message)


def refusal(status: HTTPStatus, name: str, message: str) -> Response:
    return json_response({"error": {"name": name, "message": message}}, status)
