# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title A contract that calls what it is told to, at once or when it is called
@license AGPL-3.0-only
@notice For tests only.
"""


struct Call:
    target: address
    data: Bytes[4096]


plan: DynArray[Call, 4]
successes: public(DynArray[bool, 16])
answers: public(DynArray[Bytes[256], 16])


@external
@payable
def execute(_target: address, _data: Bytes[8192]) -> Bytes[1024]:
    """
    @notice Call; a failure is passed on.
    """
    return raw_call(_target, _data, value=msg.value, max_outsize=1024)


@external
@payable
def execute_all(_calls: DynArray[Call, 4]):
    """
    @notice Several calls in one transaction.
    """
    for call: Call in _calls:
        raw_call(call.target, call.data)


@external
def set_plan(_plan: DynArray[Call, 4]):
    """
    @notice What to call from now on when called; failures are noted, see `successes`.
    """
    self.plan = _plan
    self.successes = []
    self.answers = []


@external
@payable
def __default__():
    plan: DynArray[Call, 4] = self.plan
    self.plan = []
    for call: Call in plan:
        success: bool = False
        answer: Bytes[256] = b""
        success, answer = raw_call(call.target, call.data, max_outsize=256, revert_on_failure=False)
        self.successes.append(success)
        self.answers.append(answer)
