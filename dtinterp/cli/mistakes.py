"""Errors of the machine in one sentence: full disks, paths that may not be used, memory that ran out."""

import errno

SENTENCES = {
    errno.ENOSPC: "no space is left on the device{where}: free some, then give the same command again.",
    errno.EDQUOT: "the disk quota is used up{where}: free some space, then give the same command again.",
    errno.EACCES: "permission is denied{where}: give a path that you may read and write.",
    errno.EPERM: "this is not permitted{where}: give a path that you may read and write.",
    errno.EROFS: "the file system is read-only{where}: give a path that can be written.",
    errno.ENOENT: "there is no such file or folder{where}: check the path.",
    errno.EISDIR: "a folder stands where a file is expected{where}: give the path of a file.",
    errno.ENOTDIR: "a file stands where a folder is expected{where}: give the path of a folder.",
    errno.EEXIST: "something stands there already{where}: give another path.",
    errno.ENAMETOOLONG: "the name is too long for the file system{where}: give a shorter one.",
    errno.ELOOP: "symbolic links lead in a ring{where}: check the path.",
    errno.EMFILE: "too many files are open{where}: raise the limit (ulimit -n), or give it less at once.",
}
OUT_OF_MEMORY = ("can't allocate memory", "out of memory")
"""What torch says where an array does not fit, as a RuntimeError."""
SMALLER = "give it less at once, or a machine with more memory"


def sentence_of(error: BaseException) -> str | None:
    """Return the sentence that says what the machine refused, or nothing for an error of the program's own."""
    match error:
        case MemoryError():
            return f"the memory does not suffice{_in_brackets(error)}: {SMALLER}."
        case RecursionError():
            return "what it read is nested too deeply to be read: give a file that is not."
        case OSError():
            template = SENTENCES.get(error.errno or 0, f"{_in_words(error)}{{where}}: check the path and the device.")
            return template.format(where=_where(error))
        case RuntimeError() if any(each in str(error) for each in OUT_OF_MEMORY):
            return f"the memory does not suffice{_in_brackets(error)}: {SMALLER}."
        case _ if type(error).__name__ == "SafetensorError":
            return f"a file of tensors cannot be read or written{_in_brackets(error)}: check the path and the device."
    return None


def _where(error: OSError) -> str:
    return f" at {_one_line(str(error.filename))}" if error.filename is not None else ""


def _in_words(error: OSError) -> str:
    return _one_line(error.strerror or str(error) or type(error).__name__).replace("{", "(").replace("}", ")")


def _in_brackets(error: BaseException) -> str:
    return f" ({_one_line(str(error))})" if str(error) else ""


def _one_line(text: str, *, longest: int = 300) -> str:
    """Return the text in one line; of a long one the beginning."""
    line = " ".join(text.split()).rstrip(".")
    return line if len(line) <= longest else f"{line[:longest]}…"
