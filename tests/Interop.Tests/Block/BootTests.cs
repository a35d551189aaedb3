using InterGuest.Interop.Tests.Harness;
using InterGuest.Protos.V1;

namespace InterGuest.Interop.Tests.Block;

/// <summary>A VM that has nothing but the disk of a server: its firmware reads the boot loader from there, that the kernel.</summary>
[Collection("machine")]
public sealed class BootTests
{
    private const string Configuration =
        "DEFAULT linux\nSERIAL 0\nLABEL linux\n KERNEL /vmlinuz\n INITRD /initrd\n APPEND console=ttyS0 quiet panic=-1 interguest.name=booted\n";

    [VmFact]
    public async Task A_VM_boots_from_a_served_disk()
    {
        await Repository.BuildGuestAsync();
        await using var rig = await DiskRig.CreateAsync();
        string files = Directory.CreateDirectory(Path.Combine(rig.Switch.Directory, "files")).FullName;
        foreach (string file in new[] { "vmlinuz", "initrd" })
            File.Copy(Repository.Script($"artifacts/guest/{file}"), Path.Combine(files, file));
        await File.WriteAllTextAsync(Path.Combine(files, "extlinux.conf"), Configuration);
        // The boot loader reads no file of this size from an ext4, from no disk.
        await Command.MustAsync("/sbin/mke2fs", ["-q", "-F", "-t", "ext2", "-d", files, rig.Image("system"), "128M"]);
        await rig.ServeAsync("system", 128 << 20);
        await rig.BootAsync();
        await rig.Client.ExecAsync("mount -t ext4 /dev/vda /mnt && extlinux --install /mnt && umount /mnt");
        await rig.Client.KillAsync();

        await rig.KnownAsync("system");
        await using var booted = new Vm("booted", rig.Switch.Directory);
        await booted.StartFromDiskAsync([.. await rig.QemuArgumentsAsync(), "-no-reboot"]);
        await booted.WaitAsync();
        Assert.Equal("booted", await booted.ExecAsync("hostname"));
        Assert.Equal(PortState.Running, (await rig.Switch.PortAsync("system")).State);
    }
}
