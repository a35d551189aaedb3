using InterGuest.Cli.Capture;

namespace InterGuest.Cli.Tests.Capture;

public class FrameSummaryTests
{
    private const string Ether = "020000000002" + "020000000001";

    [Theory]
    [InlineData("", "too short")]
    [InlineData(Ether + "0806" + "0001080006040001" + "020000000001" + "0a000001" + "000000000000" + "0a000002", "arp who has 10.0.0.2, tell 10.0.0.1")]
    [InlineData(Ether + "0806" + "0001080006040002" + "020000000001" + "0a000001" + "020000000002" + "0a000002", "arp 10.0.0.1 is at 02:00:00:00:00:01")]
    [InlineData(Ether + "0800" + "450000280000000040060000" + "0a000001" + "0a000002" + "0fa00050", "tcp 10.0.0.1:4000 > 10.0.0.2:80")]
    [InlineData(Ether + "0800" + "450000280000000140110000" + "0a000001" + "0a000002" + "0fa00050", "udp 10.0.0.1 > 10.0.0.2")] // not the first fragment
    [InlineData(Ether + "0800" + "450000280000000040010000" + "0a000001" + "0a000002" + "08000000", "icmp 10.0.0.1 > 10.0.0.2")]
    [InlineData(Ether + "81000005" + "0800" + "450000280000000040fe0000" + "0a000001" + "0a000002", "vlan 5 protocol 254 10.0.0.1 > 10.0.0.2")]
    [InlineData(Ether + "86dd" + "600000000000" + "1140" + "fd000000000000000000000000000001" + "fd000000000000000000000000000002" + "14e90035", "udp [fd00::1]:5353 > [fd00::2]:53")]
    [InlineData(Ether + "88cc" + "0000", "02:00:00:00:00:01 > 02:00:00:00:00:02 ethertype 0x88cc")]
    [InlineData(Ether + "0800" + "45", "02:00:00:00:00:01 > 02:00:00:00:00:02 ethertype 0x0800")]
    public void AFrameInAFewWords(string hex, string words) => Assert.Equal(words, FrameSummary.Of(Convert.FromHexString(hex)));
}
