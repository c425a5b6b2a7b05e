def render(replay, report):
    return ""
