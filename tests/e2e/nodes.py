"""Running a Node program of this folder to its end, with all that it started."""

import json
import os
import pathlib
import signal
import subprocess
import tempfile

HERE = pathlib.Path(__file__).resolve().parent


def run_node(script, *args, seconds=180):
    """What the program printed as JSON. Fails with its output when it fails or hangs."""
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(["node", HERE / script, *map(str, args)], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=errors, text=True, start_new_session=True)
        try:
            out, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            out = f"hung for {seconds} s"
        finally:
            # The browser is in the same session: nothing of it may stay.
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.wait()
        errors.seek(0)
        assert process.returncode == 0, f"{script}: {process.returncode}\n{out}\n{errors.read()}"
    return json.loads(out)
