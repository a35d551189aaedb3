namespace InterGuest.Virtio.Native;

/// <summary>Users and groups of this machine, by name.</summary>
public static unsafe class UserDatabase
{
    // struct passwd: name, password, uid, gid, ...; struct group: name, password, gid, ...
    private const int IdOffset = 16;

    // The C library answers in memory of its own, the same for every caller.
    private static readonly Lock Gate = new();

    /// <summary>A user's number; null: there is none of that name.</summary>
    /// <param name="user">A name, or a number, which is taken as it is.</param>
    public static uint? UserId(string user) => Find(user, Libc.getpwnam);

    /// <summary>A group's number; null: there is none of that name.</summary>
    /// <param name="group">A name, or a number, which is taken as it is.</param>
    public static uint? GroupId(string group) => Find(group, Libc.getgrnam);

    /// <summary>The user that this process acts as.</summary>
    public static uint OwnUserId => Libc.geteuid();

    private static uint? Find(string name, Func<string, nint> find)
    {
        if (uint.TryParse(name, System.Globalization.NumberStyles.None, null, out uint number))
            return number;
        if (name == "" || name.Contains('\0', StringComparison.Ordinal))
            return null;
        lock (Gate)
        {
            // Safe: the C library's record lives until the next question, which the lock keeps back.
            nint record = find(name);
            return record == 0 ? null : *(uint*)(record + IdOffset);
        }
    }
}
