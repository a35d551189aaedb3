using InterGuest.Switch.Ports;
using InterGuest.Switch.Tests.Control;
using InterGuest.Virtio.Native;

namespace InterGuest.Switch.Tests.Ports;

/// <summary>Who may open a port's socket.</summary>
public sealed class SocketAccessTests : IDisposable
{
    private readonly TestSwitch _switch = new();

    public void Dispose() => _switch.Dispose();

    [Fact]
    public void TheSocketHasTheModeThatWasAskedFor()
    {
        Add(new SocketAccess("", "", "606"));
        Assert.Equal(
            UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.OtherRead | UnixFileMode.OtherWrite, File.GetUnixFileMode(_switch.Directory.At("a.sock")));
        Assert.Equal("606", _switch.Port("a").SocketMode);
    }

    [RootFact]
    public async Task TheSocketHasTheOwnerThatWasAskedFor()
    {
        Add(new SocketAccess("nobody", "65533", "0660"));
        using var stat = System.Diagnostics.Process.Start(
            new System.Diagnostics.ProcessStartInfo("stat", ["-c", "%u %g", _switch.Directory.At("a.sock")]) { RedirectStandardOutput = true })!;
        Assert.Equal($"{UserDatabase.UserId("nobody")} 65533\n", await stat.StandardOutput.ReadToEndAsync());
        await stat.WaitForExitAsync();
    }

    [Theory]
    [InlineData("no-such-user", "", "0660", "socket_owner: there is no user 'no-such-user'")]
    [InlineData("", "no-such-group", "0660", "socket_group: there is no group 'no-such-group'")]
    [InlineData("", "", "0680", "socket_mode: '0680' is not a file mode")]
    [InlineData("", "", "77", "socket_mode: '77' is not a file mode")]
    [InlineData("", "", "4755", "socket_mode: '4755' is not a file mode")]
    [InlineData("", "", "rw-", "socket_mode: 'rw-' is not a file mode")]
    public void WhatCannotBeIsNamed(string owner, string group, string mode, string message)
    {
        var error = Assert.Throws<SwitchException>(() => Add(new SocketAccess(owner, group, mode)));
        Assert.StartsWith(message, error.Message, StringComparison.Ordinal);
        Assert.False(File.Exists(_switch.Directory.At("a.sock")));
    }

    [Fact]
    public void WhereTheFrontEndMakesTheSocketItIsNotOursToGive() =>
        Assert.Contains("in mode connect", Assert.Throws<SwitchException>(() => Add(new SocketAccess("", "", "0600"), SocketMode.Connect)).Message, StringComparison.Ordinal);

    [Fact]
    public void NumbersAndNamesAreTheSame()
    {
        Assert.Equal(0u, UserDatabase.UserId("root"));
        Assert.Equal(0u, UserDatabase.GroupId("root"));
        Assert.Equal(4711u, UserDatabase.UserId("4711"));
        Assert.Null(UserDatabase.UserId("no-such-user"));
        Assert.Null(UserDatabase.GroupId(""));
    }

    private void Add(SocketAccess access, SocketMode mode = SocketMode.Listen) =>
        _switch.Do(b => b.CreatePort("a", new PortSpec(mode, "", 1) { Access = access }));
}
